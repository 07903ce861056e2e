/**
 * Noticing that threads end.
 *
 * Node tells who made a worker of its exit, and a worker of its own unless it was terminated. In a
 * browser a worker's end is silent: there each agent holds a Web Lock for as long as its thread
 * lives, its sign of life, and who supervises asks for that lock too. When he gets it, it has
 * ended. */

import { UnavailableError } from '../../domain/errors.ts';
import { setRealTimeout } from '../../domain/real-time.ts';
import { agentsIn, dropClaims, generationOf, markDead } from './agents.ts';
import * as C from './control.ts';
import type { ThreadsHost } from './host.ts';
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

/** Whether threads must show by themselves that they live. */
function needsSigns(): boolean {
  return workerThreads() === undefined && globalThis.navigator?.locks !== undefined;
}

/**
 * Holds an agent's sign of life until it closes, or its thread ends. Once the request has been sent
 * it is granted even if the thread never comes back to its event loop; only its note is then not
 * written.
 */
export function showLife(host: ThreadsHost): void {
  if (!needsSigns()) return;
  const { control, agent } = host;
  const generation = generationOf(control, agent);
  const held = async (): Promise<void> => {
    // Its place may be another's by now, who has yet to show himself.
    if (host.isClosed) return;
    Atomics.store(control, C.wordsOfAgent(agent) + C.SIGN, generation);
    host.ringAll();
    await new Promise<void>((resolve) => host.whenClosed(resolve));
  };
  void navigator.locks.request(signOf(control, agent, generation), held);
  host.ringAll();
}

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
    const { control } = this.#host;
    for (const { agent, generation } of this.#unwatched()) {
      if (Atomics.load(control, C.wordsOfAgent(agent) + C.SIGN) === generation) {
        this.#watch(agent, generation);
      }
    }
    if (!this.#isSearching) void this.#search();
  }

  /** Until all that live are watched. */
  async #search(): Promise<void> {
    this.#isSearching = true;
    for (let againMs = lookAgainMs; this.#unwatched().length > 0; againMs *= 2) {
      const { held = [] } = await navigator.locks.query();
      if (this.#host.isClosed) break;
      const signs = new Set(held.map(({ name }) => name));
      for (const { agent, generation } of this.#unwatched()) {
        const sign = signOf(this.#host.control, agent, generation);
        if (signs.has(sign)) this.#watch(agent, generation);
      }
      const pauseMs = Math.min(againMs, lookAgainMsMax);
      await new Promise<void>((resolve) => setRealTimeout(resolve, pauseMs));
      if (this.#host.isClosed) break;
    }
    this.#isSearching = false;
  }

  /** The agents of other threads whose end would not be noticed. */
  #unwatched(): readonly { readonly agent: number; readonly generation: number }[] {
    const { control } = this.#host;
    return agentsIn(control, C.LIVE)
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

function signOf(control: Int32Array, agent: number, generation: number): string {
  return `kds arena ${control[C.ID]} ${control[C.ID + 1]} agent ${agent} ${generation}`;
}
