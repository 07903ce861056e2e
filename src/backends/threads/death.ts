/**
 * Noticing that threads end.
 *
 * Node reports the exit of a worker to the thread that made it, and a worker's own unless it was
 * terminated. In a browser a worker's end is silent: there each agent shows a sign of life
 * (signs.ts), and a supervisor waits for its end.
 */

import { UnavailableError } from '../../api/errors.ts';
import { setRealTimeout } from '../../runtime/real-time.ts';
import type { Agent } from './agent.ts';
import { agentsIn, dropClaims, generationOf, markDead } from './agents.ts';
import * as C from './control.ts';
import { hasShown, needsSigns, signOf } from './signs.ts';
import { thread, workerThreads } from './thread.ts';

/** A worker of Node, or of a browser. */
export type WatchedWorker = NodeWorker | { postMessage(message: unknown): void };

interface NodeWorker {
  readonly threadId: number;
  once(event: 'exit', listener: () => void): unknown;
}

/** The part of a backend that releases what dead agents had. */
interface Reaping {
  /** @throws UnavailableError */
  reap(agent: number): void;
}

interface WorkerWatcher extends Reaping {
  readonly agent: Agent;
  supervise(): void;
}

interface Closable {
  close(died: boolean): void;
}

/** Reaps what a worker leaves behind, when it ends. */
export function watchWorker(watcher: WorkerWatcher, worker: WatchedWorker): void {
  if ('threadId' in worker) {
    // Once it has ended it has no number any more.
    const id = worker.threadId + 1;
    worker.once('exit', () => reapThread(watcher, id));
  } else {
    watcher.supervise();
  }
}

function reapThread(watcher: WorkerWatcher, id: number): void {
  const { control, isClosed } = watcher.agent;
  // Its place may belong to another agent by now, and so may its part in the lock.
  if (isClosed) return;
  const isIn = (words: Int32Array, at: number): boolean => words[at + C.THREAD] === id;
  for (const state of [C.LIVE, C.DEAD]) {
    for (const agent of agentsIn(control, state)) {
      if (markDead(control, agent, isIn)) reapInTime(watcher.agent, watcher, agent);
    }
  }
  dropClaims(control, isIn);
}

/** Another dead agent may have the lock, whose end this event loop has yet to be notified of. */
function reapInTime(own: Agent, reaping: Reaping, agent: number): void {
  if (own.isClosed) return;
  try {
    reaping.reap(agent);
  } catch (error) {
    if (!(error instanceof UnavailableError)) throw error;
    setRealTimeout(() => reapInTime(own, reaping, agent), 0);
  }
}

/**
 * Closes a domain as its thread ends by itself. Whatever it holds then it has not released, so that
 * is `recovered` for the next, as it is after `terminate()`.
 */
export function closeAtExit(domain: Closable): void {
  if (workerThreads()?.isMainThread !== false) return;
  if (!isExitHeard) {
    isExitHeard = true;
    globalThis.process.once('exit', () => {
      for (const open of openDomains) closeAsDead(open);
    });
  }
  openDomains.add(domain);
}

/** If the lock cannot be had, those who notice the end of this thread do it. */
function closeAsDead(domain: Closable): void {
  try {
    domain.close(true);
  } catch (error) {
    if (!(error instanceof UnavailableError)) throw error;
  }
}

/** It has been closed before. */
export function closedBeforeExit(domain: Closable): void {
  openDomains.delete(domain);
}

const openDomains = new Set<Closable>();
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
  readonly #agent: Agent;
  readonly #reaping: Reaping;
  readonly #watched = new Set<string>();
  readonly #end = new AbortController();
  #isSearching = false;

  constructor(agent: Agent, reaping: Reaping) {
    this.#agent = agent;
    this.#reaping = reaping;
    agent.whenClosed(() => this.#end.abort());
    this.look();
  }

  look(): void {
    if (!needsSigns()) return;
    this.#watchShown();
    if (!this.#isSearching) void this.#search();
  }

  #watchShown(): void {
    const { control } = this.#agent;
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
      if (this.#agent.isClosed) break;
      const signs = new Set(held.map(({ name }) => name));
      for (const { agent, generation } of this.#unwatched(C.LIVE)) {
        const sign = signOf(this.#agent.control, agent, generation);
        if (signs.has(sign)) this.#watch(agent, generation);
      }
      // Who has shown itself and has ended since is not among those held any more.
      this.#watchShown();
      const pauseMs = Math.min(againMs, lookAgainMsMax);
      await new Promise<void>((resolve) => setRealTimeout(resolve, pauseMs));
      if (this.#agent.isClosed) break;
    }
    this.#isSearching = false;
  }

  /** The agents of other threads, in these states, whose end would not be noticed. */
  #unwatched(
    ...states: readonly number[]
  ): readonly { readonly agent: number; readonly generation: number }[] {
    const { control } = this.#agent;
    return states
      .flatMap((state) => agentsIn(control, state))
      .filter((agent) => control[C.wordsOfAgent(agent) + C.THREAD] !== thread.id)
      .map((agent) => ({ agent, generation: generationOf(control, agent) }))
      .filter(({ agent, generation }) => !this.#watched.has(signOf(control, agent, generation)));
  }

  #watch(agent: number, generation: number): void {
    const { control } = this.#agent;
    const sign = signOf(control, agent, generation);
    this.#watched.add(sign);
    const { signal } = this.#end;
    const ended = (): void => {
      this.#watched.delete(sign);
      const isSame = (): boolean => generationOf(control, agent) === generation;
      if (signal.aborted || !markDead(control, agent, isSame)) return;
      reapInTime(this.#agent, this.#reaping, agent);
    };
    navigator.locks.request(sign, { signal }, ended).catch((error: unknown) => {
      if (error !== signal.reason) throw error;
    });
  }
}
