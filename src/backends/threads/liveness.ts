/**
 * Whether a thread still exists, by the system: a thread that blocks is not notified of exits.
 * Known on Linux in Node; elsewhere the exit must be reported (see attachWorker).
 */

import { SYSTEM_THREAD } from './control.ts';

interface FileSystem {
  existsSync(path: string): boolean;
  readlinkSync(path: string): string;
}

function fileSystem(): FileSystem | undefined {
  const load = globalThis.process?.getBuiltinModule as ((id: string) => unknown) | undefined;
  return load?.('fs') as FileSystem | undefined;
}

/** The system's number of the calling thread, or 0 where it cannot be known. */
export function systemThread(): number {
  try {
    const link = fileSystem()?.readlinkSync('/proc/thread-self') ?? '';
    return Number(/\/task\/(\d+)$/.exec(link)?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** Whether the thread of an agent with these words is certainly gone. */
export function hasGoneThread(control: Int32Array, at: number): boolean {
  return isThreadGone(control[at + SYSTEM_THREAD]);
}

function isThreadGone(thread: number): boolean {
  if (thread === 0) return false;
  try {
    return fileSystem()?.existsSync(`/proc/self/task/${thread}`) === false;
  } catch {
    return false;
  }
}
