/** What a page does with its workers; `scenarios` is called from the test, and returns facts. */

import { controlOf } from '../../src/backends/threads/arena.ts';
import * as C from '../../src/backends/threads/control.ts';
import {
  type Arena,
  type ArenaOptions,
  createArena,
  openThreadsDomain,
  type ThreadsDomain,
} from '../../src/backends/threads/index.ts';
import { type KdsError, type SetSpec, type SyncGrant, UnavailableError } from '../../src/index.ts';
import { findArenaFaults } from '../threads/faults/soundness.ts';
import { HiredWorker } from './hired-worker.ts';
import { runSuite } from './page-runner.ts';
import { Sections } from './sections.ts';
import type { EarlyWay } from './worker-messages.ts';

const { search } = location;

/** An arena, the page's domain in it, and so many workers with one each. */
class World {
  readonly arena: Arena;
  readonly domain: ThreadsDomain;
  readonly memory = Sections.createMemory();
  readonly sections = new Sections(this.memory, 0);
  #hiredCount = 0;

  constructor(options: ArenaOptions = {}) {
    this.arena = createArena({ bytesMax: 2 ** 22, ...options });
    this.domain = openThreadsDomain(this.arena, { label: 'page' });
  }

  /** One that has not opened its domain yet. */
  hire(): HiredWorker {
    return new HiredWorker(this.domain, `/worker.js${search}`);
  }

  async open(worker: HiredWorker): Promise<number> {
    const { arena, memory } = this;
    const party = ++this.#hiredCount;
    const order = { do: 'open', arena, memory, party, label: `worker ${party}` } as const;
    return (await worker.tell(order)).agent as number;
  }

  async worker(): Promise<HiredWorker> {
    const worker = this.hire();
    await this.open(worker);
    return worker;
  }

  /** How many steps a worker makes to take a set and to let it go. */
  async countSteps(): Promise<number> {
    const worker = await this.worker();
    await worker.tell({ do: 'count steps', set: xy });
    const { stepCount } = await worker.tell({ do: 'count steps', set: xy });
    await worker.tell({ do: 'close' });
    worker.terminate();
    return stepCount as number;
  }

  /** Resolves when so many requests wait. */
  async pending(count: number): Promise<void> {
    while ((await this.domain.query()).pending.length !== count) await turn();
  }

  /** Resolves when so many domains, the page's among them, show that they live. */
  async shown(count: number): Promise<void> {
    const prefix = signPrefix(this.arena);
    for (;;) {
      const { held = [] } = await navigator.locks.query();
      if (held.filter(({ name }) => name?.startsWith(prefix)).length === count) return;
      await turn();
    }
  }

  /** What is left when all is over, and whether the arena is in order. */
  async end() {
    const left = await this.domain.query();
    const faults = findArenaFaults(this.arena);
    await this.domain.close();
    return { left: left.held.length + left.pending.length, faults };
  }
}

/** What the names of an arena's signs of life begin with. */
function signPrefix(arena: Arena): string {
  const control = controlOf(arena);
  return `kds arena ${control[C.ID]} ${control[C.ID + 1]} `;
}

/** Whether some agent has the arena's lock. */
function isTaken(arena: Arena): boolean {
  return Atomics.load(controlOf(arena), C.LOCK) !== 0;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

/** A page may not stand still for long for the arena's lock, whose owner the system may delay. */
function tryAcquire(domain: ThreadsDomain, wanted: SetSpec): SyncGrant | null {
  try {
    return domain.tryAcquireSync(wanted);
  } catch (error) {
    if (error instanceof UnavailableError) return null;
    throw error;
  }
}

async function acquire(domain: ThreadsDomain, set: SetSpec): Promise<SyncGrant> {
  return (await domain.acquire(set)) as SyncGrant;
}

/** Longer than anything takes on any machine: what is still to come then never comes. */
const hangMs = 600_000;

const x = { exclusive: 'x' } as const;
const xy = { exclusive: ['x', 'y'] } as const;

/** What becomes of the page and another worker when one stops just before a step, and is ended. */
async function dieAt(step: number) {
  const world = new World();
  const victim = await world.worker();
  const other = await world.worker();
  await world.shown(3);
  // Let go of while the lock may be a dead one's, and waited for by another.
  const grant = await acquire(world.domain, { exclusive: 'z' });
  const waiting = other.tell({ do: 'take', set: { exclusive: 'z' }, how: 'await' });
  // Two that end while the lock may be a dead one's: a browser takes seconds to end its thread.
  const kept = await acquire(world.domain, { exclusive: 'w' });
  const stop = new AbortController();
  await world.pending(1);
  const second = openThreadsDomain(world.arena);
  await second.acquire({ exclusive: 'v' });
  const refused = [{ timeoutMs: 300 }, { signal: stop.signal }].map((options) =>
    world.domain.acquire({ exclusive: 'w' }, options).catch(({ name }: Error) => name),
  );
  await victim.tell({ do: 'stop at step', set: xy, step });
  const isLocked = isTaken(world.arena);
  victim.terminate();
  stop.abort();
  const closed = second.close();
  const mine = acquire(world.domain, xy);
  grant.release();
  (await mine).release();
  await waiting;
  await other.tell({ do: 'release' });
  const next = await other.tell({ do: 'take', set: xy, how: 'block' });
  await other.tell({ do: 'release' });
  await closed;
  const names = await Promise.all(refused);
  kept.release();
  return { step, isLocked, granted: next.granted, names, ...(await world.end()) };
}

/** How long the page's event loop stands still at most. */
class LongestPause {
  #longestMs = 0;
  #lastMs = performance.now();
  readonly #timer = setInterval(() => this.#look());

  end(): number {
    this.#look();
    clearInterval(this.#timer);
    return this.#longestMs;
  }

  #look(): void {
    const nowMs = performance.now();
    this.#longestMs = Math.max(this.#longestMs, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
  }
}

const scenarios = {
  async environment() {
    return { isolated: crossOriginIsolated, hasWaitAsync: 'waitAsync' in Atomics };
  },

  /** The suite of all hosts. */
  conformance: runSuite,

  /** The page and two workers go in and out of sections. */
  async contention(durationMs: number) {
    const world = new World();
    const workers = [await world.worker(), await world.worker()];
    const ends = workers.map((worker) => worker.tell({ do: 'contend', durationMs }));
    const untilMs = performance.now() + durationMs;
    // However slow the machine is: until it has been in some sections.
    while (performance.now() < untilMs || world.sections.countOf(0) <= 20) {
      const wanted = Sections.choose();
      const isTry = Math.random() < 0.3;
      const grant = isTry ? tryAcquire(world.domain, wanted) : await acquire(world.domain, wanted);
      if (grant !== null) world.sections.visit(grant, wanted);
      if (isTry) await turn();
    }
    const violations = [...world.sections.violations];
    for (const { violations: seen, refused } of await Promise.all(ends)) {
      violations.push(...(seen ?? [`refused: ${refused}`]));
    }
    const counts = [0, 1, 2].map((party) => world.sections.countOf(party));
    return { violations, counts, ...(await world.end()) };
  },

  /** From the page to a worker, to the other one, and back. */
  async handover(roundCount: number) {
    const world = new World();
    const [one, two] = [await world.worker(), await world.worker()];
    const order: string[] = [];
    const tookMs: number[] = [];
    let mine = await acquire(world.domain, x);
    for (let round = 0; round < roundCount; round++) {
      const first = one.tell({ do: 'take', set: x, how: 'block' });
      await world.pending(1);
      const second = two.tell({ do: 'take', set: x, how: 'await' });
      await world.pending(2);
      const back = acquire(world.domain, x);
      const startMs = performance.now();
      mine.release();
      if ((await first).granted) order.push('one');
      await one.tell({ do: 'release' });
      if ((await second).granted) order.push('two');
      await two.tell({ do: 'release' });
      mine = await back;
      order.push('page');
      tookMs.push(performance.now() - startMs);
    }
    mine.release();
    return { order, tookMs, ...(await world.end()) };
  },

  /** A worker ends while it holds: in its event loop, or never back there since it opened. */
  async holderEnds(how: 'in its event loop' | 'asleep' | 'blocked') {
    const world = new World();
    const other = await world.worker();
    const holder = world.hire();
    const own = await acquire(world.domain, { exclusive: 'own' });
    if (how === 'in its event loop') {
      await world.open(holder);
      await holder.tell({ do: 'take', set: x, how: 'await' });
    } else {
      const { arena } = world;
      const thenBlockFor = how === 'asleep' ? {} : { thenBlockFor: { exclusive: 'own' } };
      await holder.tell({ do: 'open and take for ever', arena, set: x, ...thenBlockFor });
    }
    const next = other.tell({ do: 'take', set: x, how: 'block' });
    const isBlocked = how === 'blocked';
    await world.pending(isBlocked ? 2 : 1);
    const mine = acquire(world.domain, x);
    await world.shown(3);
    const startMs = performance.now();
    holder.terminate();
    const { recovered } = await next;
    const tookMs = performance.now() - startMs;
    await other.tell({ do: 'release' });
    const grant = await mine;
    grant.release();
    own.release();
    const seen = { other: recovered, page: grant.recovered, tookMs };
    return { ...seen, ...(await world.end()) };
  },

  /** Workers that are terminated just after they have opened a domain, or were first granted. */
  async earlyEnds(after: 'opened' | 'granted', how: EarlyWay, delaysMs: readonly number[]) {
    // Fewer places than workers: whoever ends early does not keep its place.
    const world = new World({ agentsMax: 3 });
    const ends: string[] = [];
    for (const delayMs of delaysMs) {
      const worker = world.hire();
      await worker.tell({ do: 'open and take', arena: world.arena, set: x, how });
      if (after === 'granted') {
        const { granted, refused } = await worker.answer();
        if (granted !== true) ends.push(`not granted: ${refused}`);
      }
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      worker.terminate();
      const grant = await world.domain.acquire(x, { timeoutMs: hangMs });
      ends.push(grant.recovered.join());
      await grant.release();
    }
    return { ends, ...(await world.end()) };
  },

  /** A worker that is granted a set has shown that it lives, by whatever way it asked. */
  async firstGrant(how: EarlyWay) {
    const world = new World();
    const worker = world.hire();
    await worker.tell({ do: 'open and take', arena: world.arena, set: x, how });
    const { granted, refused } = await worker.answer();
    const { held = [] } = await navigator.locks.query();
    const signs = held.filter(({ name }) => name?.startsWith(signPrefix(world.arena)));
    const isHeld = (await world.domain.tryAcquire(x)) === null;
    await worker.tell({ do: 'close' });
    // The page's own is among them. A worker that was refused may show its sign any time later.
    return granted === true ? { signCount: signs.length - 1, isHeld } : { refused, isHeld };
  },

  /** A worker that is not ready takes units of a pool whose capacity it declares itself. */
  async firstUnits(how: EarlyWay) {
    const world = new World();
    const worker = world.hire();
    const set = { units: { pool: 2 } };
    const capacity = { pool: ['a', 'b', 'c'] };
    await worker.tell({ do: 'open and take', arena: world.arena, set, how, capacity });
    const { granted, refused, units } = await worker.answer();
    const declared = world.domain.capacity('pool');
    await worker.tell({ do: 'close' });
    return { granted, refused, units, declared };
  },

  /** A worker ends while it waits between others. */
  async waiterEnds(how: 'block' | 'await') {
    const world = new World();
    const [one, two] = [await world.worker(), await world.worker()];
    const grant = await acquire(world.domain, { exclusive: ['x', 'y'] });
    void one.tell({ do: 'take', set: { exclusive: ['x', 'z'] }, how });
    await world.pending(1);
    const next = two.tell({ do: 'take', set: { exclusive: 'z' }, how: 'block' });
    await world.pending(2);
    await world.shown(3);
    one.terminate();
    // Nobody has released anything: it is the waiter's end that lets the one behind it through.
    const { granted, recovered } = await next;
    await two.tell({ do: 'release' });
    grant.release();
    return { granted, recovered, ...(await world.end()) };
  },

  /**
   * A worker ends at each of some steps of taking a set and letting it go, with the arena's lock or
   * without. Each has an arena of its own, as a browser takes its time to end a thread that sleeps.
   */
  async deathsAtSteps(deathCount: number) {
    const stepCount = await new World().countSteps();
    const steps = Array.from({ length: deathCount }, (_, index) =>
      Math.floor((index * stepCount) / deathCount),
    );
    const pause = new LongestPause();
    const ends = await Promise.all(steps.map((step) => dieAt(step)));
    return { stepCount, ends, longestPauseMs: pause.end() };
  },

  /** For the page around a frame: takes a set in the page's arena, in the frame's realm. */
  async takeInFrame(arena: Arena) {
    const grant = await acquire(openThreadsDomain(arena, { label: 'frame' }), x);
    return { token: grant.token, isForeign: !(arena.buffer instanceof SharedArrayBuffer) };
  },

  /** A frame of the same origin holds a set in the page's arena, and is removed. */
  async frameEnds() {
    const world = new World();
    const frame = document.createElement('iframe');
    frame.src = location.pathname;
    await new Promise((resolve) => {
      frame.onload = resolve;
      document.body.append(frame);
    });
    const inner = frame.contentWindow as unknown as Window & { scenarios: Scenarios };
    world.domain.attachWorker(inner);
    const { isForeign } = await inner.scenarios.takeInFrame(world.arena);
    await world.shown(2);
    const mine = acquire(world.domain, x);
    await world.pending(1);
    frame.remove();
    const grant = await mine;
    grant.release();
    return { isForeign, recovered: grant.recovered, ...(await world.end()) };
  },

  async refusals() {
    const world = new World();
    const worker = await world.worker();
    await worker.tell({ do: 'take', set: x, how: 'block' });
    // Who would wait for an hour waits longer than the test may take.
    const refused = [{}, { timeoutMs: 0 }, { timeoutMs: 3_600_000 }].map((options) => {
      try {
        world.domain.acquireSync(x, options);
        return 'granted';
      } catch (error) {
        const { code, name } = error as KdsError;
        return code ?? name;
      }
    });
    const pendingCount = world.domain.querySync().pending.length;
    const canBlock = world.domain.capabilities.has('blocking');
    const free = world.domain.acquireSync({ exclusive: 'y' });
    free.release();
    await worker.tell({ do: 'release' });
    return { refused, pendingCount, canBlock, ...(await world.end()) };
  },
};

export type Scenarios = typeof scenarios;
Object.assign(globalThis, { scenarios });
