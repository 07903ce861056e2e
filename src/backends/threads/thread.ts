/** The thread that this code runs in. */

import type { Capability } from '../../api/domain.ts';
import { systemThread } from './liveness.ts';

export interface Thread {
  /**
   * Identifies it among the threads of an arena: Node's number and one; in a browser, at random.
   */
  readonly id: number;
  /** The system's number of it, or 0. */
  readonly systemId: number;
  /** Whether it may block; the main thread of a browser may not. */
  readonly maySleep: boolean;
}

interface WorkerThreads {
  readonly threadId: number;
  readonly isMainThread: boolean;
}

export const thread: Thread = {
  id: idOfNode() ?? 1 + Math.floor(Math.random() * (2 ** 31 - 2)),
  systemId: systemThread(),
  maySleep: maySleep(),
};

/** What domains of this thread can do. */
export const capabilities: ReadonlySet<Capability> = new Set<Capability>([
  'settled',
  'downgrade',
  'part-release',
  'steal',
  'units',
  ...(thread.maySleep ? (['blocking'] as const) : []),
]);

/** What Node calls its threads; undefined elsewhere. */
export function workerThreads(): WorkerThreads | undefined {
  const load = globalThis.process?.getBuiltinModule as ((id: string) => unknown) | undefined;
  return load?.('worker_threads') as WorkerThreads | undefined;
}

function idOfNode(): number | undefined {
  const threads = workerThreads();
  return threads === undefined ? undefined : threads.threadId + 1;
}

function maySleep(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0);
    return true;
  } catch {
    return false;
  }
}
