/**
 * One of two workers that hand over to each other; see threads.ts.
 *
 * In the forms of `steps`, the first side is the producer: it writes the time into shared memory as
 * its step ends, and hands over; the second side looks at the time as its step starts. Then it
 * hands back, and after a pause, so that both have gone to sleep, the next step begins.
 */

import { parentPort, workerData } from 'node:worker_threads';
import type { PreparedSet, SyncGrant } from 'kds';
import { openThreadsDomain } from 'kds/threads';
import { keepAlive, never } from './sampling.ts';
import type { Task } from './threads.ts';

const { side, arena, words, port } = workerData;
const domain = openThreadsDomain(arena, { label: `worker ${side}` });
const control = new Int32Array(words, 0, 64);
const times = new BigInt64Array(words, 1024, 8);
const parent = parentPort as NonNullable<typeof parentPort>;
const [turn, ready] = [0, 16];
/** Between two steps, so that whoever waits is asleep. */
const pauseMs = 0.2;

keepAlive(domain.acquireSync({ exclusive: `kept ${side}` }));
keepAlive(domain.acquire({ exclusive: `kept and awaited ${side}` }));
keepAlive(globalThis.navigator?.locks?.request(`kept ${side}`, () => never));

parent.on('message', ({ task }: { task?: Task }) => {
  if (task !== undefined) void perform(task);
});

async function perform({ form, count }: Task): Promise<void> {
  const result = await (swings[form]?.(count) ?? steps(form, count));
  parent.postMessage({ result });
}

/** To and fro without a pause: how long it takes altogether, in ms. */
const swings: Record<string, (count: number) => readonly number[]> = {
  'kds, to a blocked thread': (count) => swingByGrant(count, 0),
  'kds, to a spinning thread': (count) => swingByGrant(count, 1_000_000),
  'a bare Atomics.wait': (count) =>
    swing(count, (mine) => {
      while (Atomics.load(control, turn) !== mine) Atomics.wait(control, turn, 1 - mine);
      Atomics.store(control, turn, 1 - mine);
      Atomics.notify(control, turn, 1);
    }),
  'a bare spin': (count) =>
    swing(count, (mine) => {
      while (Atomics.load(control, turn) !== mine);
      Atomics.store(control, turn, 1 - mine);
    }),
};

function swing(count: number, pass: (mine: number) => void): readonly number[] {
  meet();
  const startMs = performance.now();
  for (let index = 0; index < count; index++) pass(side);
  return [performance.now() - startMs];
}

/**
 * Each has one of three names, takes the next one in turn, and then lets go of the one before. So
 * neither is ever a step ahead: each grant but the first comes from a release of the other one's.
 */
function swingByGrant(count: number, spinUs: number): readonly number[] {
  const sets = [0, 1, 2].map((name) => domain.prepare({ exclusive: `ball ${name}` }));
  const options = { spinUs };
  let at = side;
  const take = (): SyncGrant => domain.acquireSync(sets[at] as PreparedSet, options);
  let held = take();
  const times = swing(count, () => {
    at = (at + 1) % sets.length;
    const next = take();
    held.release();
    held = next;
  });
  held.release();
  return times;
}

/** Both are here. */
function meet(): void {
  const before = Atomics.add(control, ready, 1);
  const both = before - (before % 2) + 2;
  while (Atomics.load(control, ready) < both);
}

interface Way {
  /** The producer's step has ended. */
  handOver(): unknown;
  /** The consumer waits for its turn. */
  awaitTurn(): unknown;
}

/** How long each step took to reach the other side, in ns. */
async function steps(form: string, count: number): Promise<readonly number[]> {
  const latencies: number[] = [];
  meet();
  for (let index = 0; index < count; index++) {
    const way = await ways[form]?.(index);
    if (way === undefined) throw new Error(`no such form: ${form}`);
    meet();
    if (side === 0) {
      rest();
      times[0] = process.hrtime.bigint();
      await way.handOver();
    } else {
      await way.awaitTurn();
      latencies.push(Number(process.hrtime.bigint() - (times[0] as bigint)));
    }
    meet();
  }
  return latencies;
}

function rest(): void {
  Atomics.wait(control, 32, 0, pauseMs);
}

/** What each form does before a step: the producer takes what the consumer will wait for. */
const ways: Record<string, (index: number) => Promise<Way> | Way> = {
  'kds, blocked': (index) => {
    const grant = side === 0 ? domain.acquireSync({ exclusive: `step ${index % 2}` }) : undefined;
    return {
      handOver: () => grant?.release(),
      awaitTurn: () => domain.acquireSync({ exclusive: `step ${index % 2}` }).release(),
    };
  },
  'kds, awaited': async (index) => {
    const grant = side === 0 ? domain.acquireSync({ exclusive: `step ${index % 2}` }) : undefined;
    return {
      handOver: () => grant?.release(),
      awaitTurn: async () => (await domain.acquire({ exclusive: `step ${index % 2}` })).release(),
    };
  },
  'a MessagePort between them': () => ({
    handOver: () => port.postMessage(0),
    awaitTurn: () => new Promise((resolve) => port.once('message', resolve)),
  }),
  'bounced through an idle main': bounced,
  'bounced through a busy main': bounced,
  'navigator.locks': async (index) => {
    const name = `step ${index % 2}`;
    let letGo = (): void => {};
    if (side === 0) {
      await new Promise<void>((held) => {
        void navigator.locks.request(name, () => {
          held();
          return new Promise<void>((resolve) => {
            letGo = resolve;
          });
        });
      });
    }
    return {
      handOver: () => letGo(),
      awaitTurn: () => navigator.locks.request(name, () => {}),
    };
  },
};

function bounced(): Way {
  return {
    handOver: () => parent.postMessage({ bounce: 0 }),
    awaitTurn: () =>
      new Promise<void>((resolve) => {
        const hear = (message: { bounce?: number }): void => {
          if (message.bounce === undefined) return;
          parent.off('message', hear);
          resolve();
        };
        parent.on('message', hear);
      }),
  };
}
