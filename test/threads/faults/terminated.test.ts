/**
 * A worker that is really terminated between two of its steps, while another worker and the main
 * thread want the same things.
 *
 * It runs as far as step N, says so, and spins there for ever: so `terminate()` ends it at that
 * step and no other. What must hold: the others go on, no set is lost, nobody is granted twice, the
 * words are in order, and its place can be used again. A spread of steps, another one each time;
 * all of them with KDS_FAULTS=all. every-step.test.ts walks more operations, in one thread.
 */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { createArena, openThreadsDomain, type ThreadsDomain } from 'kds/threads';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { controlOf } from '../../../src/backends/threads/arena.ts';
import * as C from '../../../src/backends/threads/control.ts';
import { type Bundle, bundleWorker } from '../bundle.ts';
import { findArenaFaults, setCountOf } from './soundness.ts';
import { type Answer, FINISHED, type Operation, type Order, RUNNING } from './terminated-worker.ts';

const every = process.env['KDS_FAULTS'] === 'all' ? 1 : 4;
const seed = Number(process.env['KDS_SEED'] ?? Date.now() % 2 ** 31);

/** A worker that does as it is told. */
class Thread {
  readonly state = new Int32Array(new SharedArrayBuffer(4));
  readonly worker: Worker;

  constructor(path: string) {
    this.worker = new Worker(path, { workerData: this.state.buffer });
  }

  async tell(order: Order): Promise<Answer> {
    const answered = once(this.worker, 'message');
    this.worker.postMessage(order);
    return (await answered)[0];
  }

  /** Resolves when it has stopped, and says how. */
  async stopped(): Promise<number> {
    const { async, value } = Atomics.waitAsync(this.state, 0, RUNNING);
    if (async) await value;
    return Atomics.load(this.state, 0);
  }
}

let bundle: Bundle;
/** Started ahead: each serves one death. */
let fresh: Thread[] = [];
/** All that a test has started, spinning or not, so that it can end them. */
let started: Thread[] = [];
let other: Thread;

function start(): Thread {
  const thread = new Thread(bundle.path);
  started.push(thread);
  return thread;
}

function next(): Thread {
  while (fresh.length < 4) fresh.push(start());
  return fresh.shift() as Thread;
}

beforeAll(async () => {
  bundle = await bundleWorker(new URL('./terminated-worker.ts', import.meta.url), {
    countSteps: true,
  });
});
afterAll(() => bundle.remove());

// A test that is cut off must not go on with threads of the next one: each has its own, and none
// is left, as those that have stopped spin for ever.
beforeEach(() => {
  other = start();
});
afterEach(async () => {
  const ended = started.map(({ worker }) => worker.terminate());
  [fresh, started] = [[], []];
  await Promise.all(ended);
});

interface Trial {
  readonly main: ThreadsDomain;
  /** The dying one opens its domain, and has what it needs. */
  readonly prepare: () => Promise<void>;
  /** Resolves when the dying one's operation is under way, and it has come to where it stops. */
  readonly stop: () => Promise<void>;
  /** Ends the one that has stopped. */
  readonly end: () => Promise<void>;
  /** Where it says that it has stopped. */
  readonly to: Int32Array;
}

type Story = (trial: Trial) => Promise<void>;

const block = (exclusive: string): Promise<Answer> => other.tell({ do: 'block', exclusive });

/** What a dead one may have left half done, or not: of all that it held, or of nothing. */
function expectMarks(of: readonly string[], found: readonly (readonly string[] | undefined)[]) {
  const names = found.flat();
  expect([[], of]).toContainEqual(names);
}

/** Somebody else holds what it is to wait for, and lets go when it waits. */
const waits: Story = async ({ main, prepare, stop, end, to }) => {
  await prepare();
  await block('x');
  const handedOver = other.tell({ do: 'hand over', to });
  await stop();
  await end();
  await handedOver;
  const asked = block('x');
  const { token } = await asked;
  const behind = main.acquire({ exclusive: 'x' });
  expect(main.querySync()).toMatchObject({ held: [{ token }], pending: [{}] });
  await other.tell({ do: 'release' });
  const grant = await behind;
  expect(grant.token).toBeGreaterThan(token as number);
  grant.release();
};

const stories: Record<Operation, Story> = {
  'takes what is free': async ({ main, prepare, stop, end }) => {
    await prepare();
    await stop();
    const [asked] = await Promise.all([block('x'), end()]);
    const grant = await main.acquire({ exclusive: 'y' });
    expectMarks(['x', 'y'], [asked.recovered, grant.recovered]);
    expect(main.querySync().held.length).toBe(2);
    grant.release();
    await other.tell({ do: 'release' });
  },
  'begins to wait': async ({ main, prepare, stop, end }) => {
    const held = await main.acquire({ exclusive: 'x' });
    await prepare();
    await stop();
    const [{ recovered }] = await Promise.all([block('y'), end()]);
    expect(recovered).toEqual([]);
    const again = main.acquire({ exclusive: ['x', 'y'] });
    held.release();
    expect(main.querySync()).toMatchObject({ held: [{}], pending: [{}] });
    await other.tell({ do: 'release' });
    (await again).release();
  },
  'lets go': async ({ main, prepare, stop, end }) => {
    await prepare();
    const first = main.acquire({ exclusive: 'x' });
    const second = block('y');
    while (main.querySync().pending.length < 2) await new Promise(setImmediate);
    const third = main.acquire({ exclusive: ['x', 'y'] });
    await stop();
    await end();
    const [grant, { recovered, token }] = await Promise.all([first, second]);
    expectMarks(['x', 'y'], [grant.recovered, recovered]);
    expect(grant.token).not.toBe(token);
    expect(main.querySync()).toMatchObject({ held: [{}, {}], pending: [{}] });
    grant.release();
    await other.tell({ do: 'release' });
    (await third).release();
  },
  cancels: async ({ main, prepare, stop, end }) => {
    const held = await main.acquire({ exclusive: 'x' });
    await prepare();
    const asked = block('y');
    await stop();
    await end();
    expect((await asked).recovered).toEqual([]);
    expect(main.querySync()).toMatchObject({ held: [{}, {}], pending: [] });
    held.release();
    (await main.acquire({ exclusive: 'x' })).release();
    await other.tell({ do: 'release' });
  },
  'blocks until it is granted': waits,
  'waits in its event loop until it is granted': waits,
  'opens a domain': async ({ main, prepare, stop, end }) => {
    await prepare();
    await stop();
    const [asked] = await Promise.all([block('x'), end()]);
    expect(main.querySync()).toMatchObject({ held: [{ token: asked.token }], pending: [] });
    await other.tell({ do: 'release' });
  },
  'closes a domain': async ({ main, prepare, stop, end }) => {
    await prepare();
    const first = main.acquire({ exclusive: ['x', 'y'] });
    await stop();
    await end();
    const grant = await first;
    expectMarks(['x', 'y'], [grant.recovered]);
    const asked = block('y');
    grant.release();
    await asked;
    await other.tell({ do: 'release' });
  },
};

/** It is the third to come. */
const agentOfDying = 2;
const ownerMask = 2 ** 11 - 1;

/** Whether the operation was cut off, and whether the lock was the dying one's. */
async function die(operation: Operation, step: number): Promise<[boolean, boolean]> {
  const arena = createArena({ bytesMax: 2 ** 18, agentsMax: 3 });
  const control = controlOf(arena);
  const main = openThreadsDomain(arena, { label: 'main' });
  const dying = next();
  let [isCut, hasLock] = [false, false];
  await other.tell({ do: 'open', arena });
  main.attachWorker(dying.worker);
  await stories[operation]({
    main,
    prepare: async () => void (await dying.tell({ do: 'prepare', arena, operation })),
    stop: async () => {
      const order: Order = { do: 'operate', step };
      dying.worker.postMessage(order);
      isCut = (await dying.stopped()) !== FINISHED;
      hasLock = ((control[C.LOCK] as number) & ownerMask) === agentOfDying + 1;
    },
    end: async () => void (await dying.worker.terminate()),
    to: dying.state,
  });
  const newcomer = openThreadsDomain(arena);
  await newcomer.close();
  await other.tell({ do: 'close' });
  await main.close();
  expect(findArenaFaults(arena)).toEqual([]);
  expect(setCountOf(arena)).toBe(0);
  return [isCut, hasLock];
}

describe('a worker terminated at any step, as it', () => {
  it.for(Object.keys(stories) as Operation[])(
    '%s, leaves the others what is theirs',
    { timeout: 600_000 },
    async (operation, { signal }) => {
      const first = seed % every;
      let [deathCount, withLockCount] = [0, 0];
      for (let step = first; !signal.aborted; step += every) {
        try {
          const [isCut, hasLock] = await die(operation, step);
          deathCount++;
          if (hasLock) withLockCount++;
          if (!isCut) break;
        } catch (cause) {
          throw new Error(`terminated at step ${step}, KDS_SEED=${seed}: ${cause}`, { cause });
        }
      }
      console.info(`${operation}: ${deathCount} deaths, ${withLockCount} with the lock`);
      expect(withLockCount).toBeGreaterThan(0);
    },
  );
});
