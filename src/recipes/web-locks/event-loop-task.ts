/**
 * A task of the event loop of its own for each call: after the microtasks of the present task, and
 * in the order of the calls. The standard queues a task, so that an abort that follows a request by
 * any number of promises still precedes its callback. A microtask would be too soon, and repeated
 * requests would starve the event loop.
 */

import { Fifo } from '../../runtime/fifo.ts';

type Task = () => void;

interface Platform {
  readonly setImmediate?: (task: Task) => unknown;
  readonly MessageChannel?: typeof MessageChannel;
  readonly setTimeout: (task: Task) => unknown;
}

/** Uses the platform as it is at load: fake timers of tests do not stop locks. */
export const queueTask: (task: Task) => void = createTaskQueue(globalThis);

export function createTaskQueue(platform: Platform): (task: Task) => void {
  const { setImmediate, MessageChannel, setTimeout } = platform;
  if (setImmediate !== undefined) return immediates(setImmediate);
  // Browsers delay nested time-outs by 4 ms, and messages not.
  if (MessageChannel !== undefined) return messages(new MessageChannel());
  return (task) => void setTimeout(task);
}

/** Immediates that are set ahead, at most: the event loop runs as many tasks before its events. */
const aheadMax = 64;

/**
 * Each task runs in an immediate of its own, between which the platform runs all ticks and
 * microtasks. An immediate that is set within another waits for the next turn of the event loop,
 * which costs more than a task does. So while tasks lead to one another, as the end of a lock leads
 * to the callback of the next, immediates are set ahead: twice as many each time, and one again
 * after one that found no task.
 */
function immediates(setImmediate: (task: Task) => unknown): (task: Task) => void {
  const tasks = new Fifo<Task>();
  /** Immediates that have not run: as many as there are tasks, or more. */
  let setCount = 0;
  let ahead = 1;
  /** An immediate has run since the last was set: one task may have led to the next. */
  let hasRun = false;
  const run = (): void => {
    setCount--;
    hasRun = true;
    const task = tasks.shift();
    if (task === undefined) ahead = 1;
    else task();
  };
  return (task) => {
    tasks.push(task);
    if (tasks.size <= setCount) return;
    const count = hasRun ? ahead : 1;
    if (hasRun) ahead = Math.min(2 * ahead, aheadMax);
    hasRun = false;
    setCount += count;
    for (let index = 0; index < count; index++) setImmediate(run);
  };
}

function messages({ port1, port2 }: MessageChannel): (task: Task) => void {
  const tasks = new Fifo<Task>();
  port1.onmessage = () => tasks.shift()?.();
  return (task) => {
    tasks.push(task);
    port2.postMessage(undefined);
  };
}
