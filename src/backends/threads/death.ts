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
import { agentsIn, declareDead, dropClaims, generationOf } from './agents.ts';
import * as C from './control.ts';
import { hasSign, needsSigns, signOf } from './signs.ts';
import { thread, workerThreads } from './thread.ts';

/**
 * A thread whose end {@link ThreadsDomain.attachWorker} detects: a worker of Node, a worker of a
 * browser, or the window of a frame.
 *
 * @since 0.2.0
 */
export type AttachableWorker =
  | NodeWorker
  | {
      /**
       * Identifies a worker of a browser or a window; kds does not call it.
       *
       * @param message - Any value.
       */
      postMessage(message: unknown): void;
    };

interface NodeWorker {
  readonly threadId: number;
  once(event: 'exit', listener: () => void): unknown;
}

/** The part of a backend that releases what dead agents had. */
interface Reaping {
  /** @throws UnavailableError */
  reap(agent: number): void;
}

interface SupervisingBackend extends Reaping {
  readonly agent: Agent;
  supervise(): void;
}

interface Closable {
  close(died: boolean): void;
}

/** Reaps the agents of a worker when it ends. */
export function attachWorker(backend: SupervisingBackend, worker: AttachableWorker): void {
  if ('threadId' in worker) {
    // Once it has ended it has no number any more.
    const id = worker.threadId + 1;
    worker.once('exit', () => reapThread(backend, id));
  } else {
    backend.supervise();
  }
}

function reapThread(backend: SupervisingBackend, id: number): void {
  const { control, isClosed } = backend.agent;
  // Its entry may belong to another agent by now, and so may the lock.
  if (isClosed) return;
  const isIn = (words: Int32Array, at: number): boolean => words[at + C.THREAD] === id;
  for (const state of [C.LIVE, C.DEAD]) {
    for (const agent of agentsIn(control, state)) {
      if (declareDead(control, agent, isIn)) reapInTime(backend.agent, backend, agent);
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
  if (!hasExitListener) {
    hasExitListener = true;
    globalThis.process.once('exit', () => {
      for (const open of openDomains) closeAsDead(open);
    });
  }
  openDomains.add(domain);
}

/** If the lock cannot be had, the threads that notice the end of this one reap it. */
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
let hasExitListener = false;

/** Pause before a sign that was not there yet is searched for again, doubled up to the maximum. */
const searchPauseMs = 4;
const searchPauseMsMax = 256;

/**
 * Requests the signs of life of all other threads' agents, and of those to come. A sign is
 * requested only once it is known to have been held: before that its absence means nothing. An
 * agent stores that itself; for one whose thread blocks, the browser's locks are queried.
 */
export class Supervisor {
  readonly #agent: Agent;
  readonly #reaping: Reaping;
  readonly #requested = new Set<string>();
  readonly #end = new AbortController();
  #isSearching = false;

  constructor(agent: Agent, reaping: Reaping) {
    this.#agent = agent;
    this.#reaping = reaping;
    agent.whenClosed(() => this.#end.abort());
    this.requestSigns();
  }

  /** Of agents that have come since. */
  requestSigns(): void {
    if (!needsSigns()) return;
    this.#requestStored();
    if (!this.#isSearching) void this.#search();
  }

  /** The signs that agents have stored as held. */
  #requestStored(): void {
    const { control } = this.#agent;
    for (const { agent, generation } of this.#unsupervised(C.LIVE, C.JOINING)) {
      if (hasSign(control, agent, generation)) this.#request(agent, generation);
    }
  }

  /**
   * Until the signs of all that live are requested. Where a notification can be lost, as long as
   * the domain is open: it may have been that of an agent which joins.
   */
  async #search(): Promise<void> {
    this.#isSearching = true;
    const canMiss = typeof Atomics.waitAsync !== 'function';
    for (
      let nextMs = searchPauseMs;
      canMiss || this.#unsupervised(C.LIVE).length > 0;
      nextMs *= 2
    ) {
      const { held = [] } = await navigator.locks.query();
      if (this.#agent.isClosed) break;
      const signs = new Set(held.map(({ name }) => name));
      for (const { agent, generation } of this.#unsupervised(C.LIVE)) {
        const sign = signOf(this.#agent.control, agent, generation);
        if (signs.has(sign)) this.#request(agent, generation);
      }
      // A sign that was stored as held, and whose thread has ended since, is not held any more.
      this.#requestStored();
      const pauseMs = Math.min(nextMs, searchPauseMsMax);
      await new Promise<void>((resolve) => setRealTimeout(resolve, pauseMs));
      if (this.#agent.isClosed) break;
    }
    this.#isSearching = false;
  }

  /** The agents of other threads, in these states, whose end would not be noticed. */
  #unsupervised(
    ...states: readonly number[]
  ): readonly { readonly agent: number; readonly generation: number }[] {
    const { control } = this.#agent;
    return states
      .flatMap((state) => agentsIn(control, state))
      .filter((agent) => control[C.wordsOfAgent(agent) + C.THREAD] !== thread.id)
      .map((agent) => ({ agent, generation: generationOf(control, agent) }))
      .filter(({ agent, generation }) => !this.#requested.has(signOf(control, agent, generation)));
  }

  #request(agent: number, generation: number): void {
    const { control } = this.#agent;
    const sign = signOf(control, agent, generation);
    this.#requested.add(sign);
    const { signal } = this.#end;
    const ended = (): void => {
      this.#requested.delete(sign);
      const isSame = (): boolean => generationOf(control, agent) === generation;
      if (signal.aborted || !declareDead(control, agent, isSame)) return;
      reapInTime(this.#agent, this.#reaping, agent);
    };
    navigator.locks.request(sign, { signal }, ended).catch((error: unknown) => {
      if (error !== signal.reason) throw error;
    });
  }
}
