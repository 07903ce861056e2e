/**
 * A world of its own: virtual time, randomness from one seed, a log, and what was found wrong.
 *
 * Between two events the real event loop turns once, so all promises that can be settled are, and
 * whatever they run has run: what happens next depends on the world alone. So one seed is one
 * run, to the letter. Nothing of it can read real time or real chance (`inVirtualTime`).
 */

import { VirtualClock } from './clock.ts';
import { SeededRandom } from './random.ts';

/** A world that does more than this is taken to run for ever. */
const eventsMax = 200_000;
const logLinesMax = 20_000;

/** Something that must never be: the run ends there. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

/** What went wrong in a world, and its log, if one was requested. */
export class WorldFailure extends Error {
  override readonly name = 'WorldFailure';
  readonly lines: readonly string[];

  constructor(cause: unknown, { lines }: World) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.lines = lines;
  }
}

export class World {
  readonly seed: number;
  readonly random: SeededRandom;
  readonly clock = new VirtualClock();
  /** What happened, a line each; empty unless requested. */
  readonly lines: string[] = [];
  readonly #keepsLog: boolean;
  #failure: unknown;
  #failed = false;

  constructor(seed: number, options: { readonly log?: boolean } = {}) {
    this.seed = seed;
    this.random = new SeededRandom(seed);
    this.#keepsLog = options.log ?? false;
  }

  get nowMs(): number {
    return this.clock.nowMs;
  }

  /** Calls `line` only if the log is kept. */
  log(line: () => string): void {
    if (!this.#keepsLog || this.lines.length >= logLinesMax) return;
    this.lines.push(`${this.nowMs.toFixed(3).padStart(12)}  ${line()}`);
  }

  /** The world has gone wrong; only the first failure is kept. */
  fail(failure: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#failure = failure;
    this.log(() => `FAILED ${failure instanceof Error ? failure.message : String(failure)}`);
  }

  /** Fails, and returns the failure to be thrown by the caller. */
  violation(what: string): Violation {
    const violation = new Violation(what);
    this.fail(violation);
    return violation;
  }

  /** Throws unless `isTrue`. For what is looked at from within an event, where `fail` would do. */
  check(isTrue: boolean, what: () => string): void {
    if (!isTrue) this.fail(new Violation(what()));
  }

  /** Runs until nothing is left to happen, `isOver` is true, or `lastMs`; throws on a failure. */
  async run(lastMs: number, isOver: () => boolean = () => false): Promise<void> {
    const onRejection = (reason: unknown): void => this.fail(reason);
    process.on('unhandledRejection', onRejection);
    try {
      for (let count = 0; !this.#failed && !isOver(); count++) {
        if (count > eventsMax) throw new Violation(`more than ${eventsMax} events`);
        if (!this.#step(lastMs)) break;
        await turn();
      }
    } finally {
      process.off('unhandledRejection', onRejection);
    }
    if (this.#failed) throw this.#failure;
  }

  #step(lastMs: number): boolean {
    try {
      return this.clock.step(lastMs);
    } catch (error) {
      this.fail(error);
      return false;
    }
  }
}

/** One turn of the real event loop: every microtask has run, and whatever those have led to. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Where code that is simulated goes by timers of the platform, or by chance. */
export interface VirtualTimers {
  setTimeout?(run: () => void, delayMs: number): object;
  clearTimeout?(timer: object | undefined): void;
  random?(): number;
}

/**
 * Runs `run` while `Date.now` and `performance.now` return the time of a world, and what would wait
 * for real time, or let in chance, throws: `setTimeout`, `setInterval`, `Math.random`; but for
 * those that are given as virtual ones.
 */
export async function inVirtualTime<R>(
  clock: VirtualClock,
  run: () => Promise<R>,
  virtual: VirtualTimers = {},
): Promise<R> {
  const refuse = (): never => {
    throw new Violation('real time or chance has no place in a simulation');
  };
  const now = (): number => clock.nowMs;
  const places = [
    { owner: globalThis, name: 'setTimeout', value: virtual.setTimeout ?? refuse },
    { owner: globalThis, name: 'clearTimeout', value: virtual.clearTimeout ?? clearTimeout },
    { owner: globalThis, name: 'setInterval', value: refuse },
    { owner: Math, name: 'random', value: virtual.random ?? refuse },
    { owner: Date, name: 'now', value: now },
    { owner: performance, name: 'now', value: now },
  ] as const;
  const kept = places.map(({ owner, name }) => Object.getOwnPropertyDescriptor(owner, name));
  for (const { owner, name, value } of places) {
    Object.defineProperty(owner, name, { value, configurable: true, writable: true });
  }
  try {
    return await run();
  } finally {
    for (const [index, { owner, name }] of places.entries()) {
      const descriptor = kept[index];
      if (descriptor === undefined) Reflect.deleteProperty(owner, name);
      else Object.defineProperty(owner, name, descriptor);
    }
  }
}
