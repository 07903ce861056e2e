/**
 * A task of the event loop of its own for each call: after the microtasks of the present task, and
 * in the order of the calls. The standard queues a task, so that an abort that follows a request by
 * any number of promises still precedes its callback. A microtask would be too soon, and repeated
 * requests would starve the event loop.
 */

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
  if (setImmediate !== undefined) return (task) => void setImmediate(task);
  // Browsers delay nested time-outs by 4 ms, and messages not.
  if (MessageChannel !== undefined) return messages(new MessageChannel());
  return (task) => void setTimeout(task);
}

function messages({ port1, port2 }: MessageChannel): (task: Task) => void {
  const tasks: Task[] = [];
  port1.onmessage = () => tasks.shift()?.();
  return (task) => {
    tasks.push(task);
    port2.postMessage(undefined);
  };
}
