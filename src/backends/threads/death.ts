/**
 * Noticing that threads end.
 *
 * Node reports the exit of a worker to the thread that made it, and a worker's own unless it was
 * terminated. In a browser a worker's end is silent: there each agent shows a sign of life
 * (signs.ts), and a supervisor waits for its end.
 */

import { UnavailableError } from '../../api/errors.ts';
import { setRealTimeout } from '../../runtime/real-time.ts';
import { agentsIn, dropClaims, generationOf, markDead } from './agents.ts';
import * as C from './control.ts';
import type { ThreadsHost } from './host.ts';
import { hasShown, needsSigns, signOf } from './signs.ts';
import { thread, workerThreads } from './thread.ts';

/** A worker of Node, or of a browser. */
export type WatchedWorker = NodeWorker | { postMessage(message: unknown): void };

interface NodeWorker {
  readonly threadId: number;
  once(event: 'exit', listener: () => void): unknown;
}

/** Buries what a worker leaves behind, when it ends. */
export function watchWorker(host: ThreadsHost, worker: WatchedWorker): void {
  if ('threadId' in worker) {
    // Once it has ended it has no number any more.
    const id = worker.threadId + 1;
    worker.once('exit', () => buryThread(host, id));
  } else {
    host.supervise();
  }
}

function buryThread(host: ThreadsHost, id: number): void {
  // Its place may be another's by now, and so may its part in the lock.
  if (host.isClosed) return;
  const isIn = (control: Int32Array, at: number): boolean => control[at + C.THREAD] === id;
  for (const state of [C.LIVE, C.DEAD]) {
    for (const agent of agentsIn(host.control, state)) {
      if (markDead(host.control, agent, isIn)) buryInTime(host, agent);
    }
  }
  dropClaims(host.control, isIn);
}

/** The lock may be another dead one's, whose end this event loop has yet to hear of. */
function buryInTime(host: ThreadsHost, agent: number): void {
  if (host.isClosed) return;
  try {
    host.bury(agent);
  } catch (error) {
    if (!(error instanceof UnavailableError)) throw error;
    setRealTimeout(() => buryInTime(host, agent), 0);
  }
}

/**
 * Closes a domain as its thread ends by itself. Whatever it holds then it has not released, so that
 * is `recovered` for the next, as it is after `terminate()`.
 */
export function closeAtExit(host: ThreadsHost): void {
  if (workerThreads()?.isMainThread !== false) return;
  if (!isExitHeard) {
    isExitHeard = true;
    globalThis.process.once('exit', () => {
      for (const open of openHosts) closeAsDead(open);
    });
  }
  openHosts.add(host);
}

/** If the lock cannot be had, those who notice the end of this thread do it. */
function closeAsDead(host: ThreadsHost): void {
  try {
    host.close(true);
  } catch (error) {
    if (!(error instanceof UnavailableError)) throw error;
  }
}

/** It has been closed before. */
export function closedBeforeExit(host: ThreadsHost): void {
  openHosts.delete(host);
}

const openHosts = new Set<ThreadsHost>();
/** One listener serves all domains that a thread ever opens. */
let isExitHeard = false;

/** How soon to look again for a sign that was not there yet; twice as late each time, up to: */
const lookAgainMs = 4;
const lookAgainMsMax = 256;

/**
 * Watches the signs of life of all other threads' agents, and of those to come. A sign is asked for
 * only once it is known to have been held: before that its absence means nothing. An agent notes
 * that itself; for one whose thread blocks, the locks are asked.
 */
export class Supervisor {
  readonly #host: ThreadsHost;
  readonly #watched = new Set<string>();
  readonly #end = new AbortController();
  #isSearching = false;

  constructor(host: ThreadsHost) {
    this.#host = host;
    host.whenClosed(() => this.#end.abort());
    this.look();
  }

  look(): void {
    if (!needsSigns()) return;
    this.#watchShown();
    if (!this.#isSearching) void this.#search();
  }

  #watchShown(): void {
    const { control } = this.#host;
    for (const { agent, generation } of this.#unwatched(C.LIVE, C.JOINING)) {
      if (hasShown(control, agent, generation)) this.#watch(agent, generation);
    }
  }

  /**
   * Until all that live are watched. Where a ring can be lost, as long as the domain is open: the
   * ring may have been that of an agent which joins.
   */
  async #search(): Promise<void> {
    this.#isSearching = true;
    const canMiss = typeof Atomics.waitAsync !== 'function';
    for (let againMs = lookAgainMs; canMiss || this.#unwatched(C.LIVE).length > 0; againMs *= 2) {
      const { held = [] } = await navigator.locks.query();
      if (this.#host.isClosed) break;
      const signs = new Set(held.map(({ name }) => name));
      for (const { agent, generation } of this.#unwatched(C.LIVE)) {
        const sign = signOf(this.#host.control, agent, generation);
        if (signs.has(sign)) this.#watch(agent, generation);
      }
      // Who has shown itself and has ended since is not among those held any more.
      this.#watchShown();
      const pauseMs = Math.min(againMs, lookAgainMsMax);
      await new Promise<void>((resolve) => setRealTimeout(resolve, pauseMs));
      if (this.#host.isClosed) break;
    }
    this.#isSearching = false;
  }

  /** The agents of other threads, in these states, whose end would not be noticed. */
  #unwatched(
    ...states: readonly number[]
  ): readonly { readonly agent: number; readonly generation: number }[] {
    const { control } = this.#host;
    return states
      .flatMap((state) => agentsIn(control, state))
      .filter((agent) => control[C.wordsOfAgent(agent) + C.THREAD] !== thread.id)
      .map((agent) => ({ agent, generation: generationOf(control, agent) }))
      .filter(({ agent, generation }) => !this.#watched.has(signOf(control, agent, generation)));
  }

  #watch(agent: number, generation: number): void {
    const { control } = this.#host;
    const sign = signOf(control, agent, generation);
    this.#watched.add(sign);
    const { signal } = this.#end;
    const ended = (): void => {
      this.#watched.delete(sign);
      const isSame = (): boolean => generationOf(control, agent) === generation;
      if (!signal.aborted && markDead(control, agent, isSame)) buryInTime(this.#host, agent);
    };
    navigator.locks.request(sign, { signal }, ended).catch((error: unknown) => {
      if (error !== signal.reason) throw error;
    });
  }
}
