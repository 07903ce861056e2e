/**
 * Noticing that threads end.
 *
 * Node tells who made a worker of its exit, and a worker of its own unless it was terminated. In a
 * browser a worker's end is silent: there each agent holds a Web Lock for as long as its thread
 * lives, its sign of life, and who supervises asks for that lock too. When he gets it, it has
 * ended.
 */

import { UnavailableError } from '../../domain/errors.ts';
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
  try {
    host.bury(agent);
  } catch (error) {
    if (!(error instanceof UnavailableError)) throw error;
    setTimeout(() => buryInTime(host, agent));
  }
}

/** Closes a domain as its thread ends in good order. */
export function closeAtExit(host: ThreadsHost): void {
  if (workerThreads()?.isMainThread !== false) return;
  if (!isExitHeard) {
    isExitHeard = true;
    globalThis.process.once('exit', () => {
      for (const open of openHosts) open.close();
    });
  }
  openHosts.add(host);
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

/** Holds an agent's sign of life until it closes, or its thread ends. */
export function showLife(host: ThreadsHost): void {
  if (!needsSigns()) return;
  const { control, agent } = host;
  const held = (): Promise<void> => {
    Atomics.store(control, C.wordsOfAgent(agent) + C.SIGN, 1);
    host.ringAll();
    return new Promise((resolve) => host.whenClosed(resolve));
  };
  void navigator.locks.request(signOf(control, agent), held);
}

/** Watches the signs of life of all other threads' agents, and of those to come. */
export class Supervisor {
  readonly #host: ThreadsHost;
  readonly #watched = new Set<string>();

  constructor(host: ThreadsHost) {
    this.#host = host;
    this.look();
  }

  look(): void {
    const { control } = this.#host;
    for (const agent of agentsIn(control, C.LIVE)) {
      const at = C.wordsOfAgent(agent);
      if (control[at + C.SIGN] !== 1 || control[at + C.THREAD] === thread.id) continue;
      this.#watch(agent, signOf(control, agent));
    }
  }

  #watch(agent: number, sign: string): void {
    if (this.#watched.has(sign)) return;
    this.#watched.add(sign);
    void navigator.locks.request(sign, () => {
      this.#watched.delete(sign);
      const { control } = this.#host;
      const isSame = (): boolean => signOf(control, agent) === sign;
      if (markDead(control, agent, isSame)) this.#host.bury(agent);
    });
  }
}

function signOf(control: Int32Array, agent: number): string {
  const generation = generationOf(control, agent);
  return `kds arena ${control[C.ID]} ${control[C.ID + 1]} agent ${agent} ${generation}`;
}
