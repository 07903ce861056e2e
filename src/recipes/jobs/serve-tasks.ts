/** The worker's side of a queue's tasks. */

import { UnsupportedError } from '../../api/errors.ts';
import { checkFunction } from '../../api/options.ts';
import { describe, type SetSpec } from '../../api/sets.ts';
import type { Unit } from '../../api/units.ts';
import { isWithin, wantedIn } from './spec.ts';
import { type FromWorker, isToWorker, type NamedSet, type ToWorker } from './task-messages.ts';

/**
 * A task, for its function. Guards of a resource, as of a buffer, accept it in place of a grant.
 *
 * @example
 * ```ts no-run
 * import { openBuffer, type BufferHandle } from 'kds/buffers';
 * import { serveTasks } from 'kds/jobs';
 *
 * serveTasks({
 *   // The job declares `writes: buffer.resource`, and its `data` is `buffer.handle`.
 *   clear: (handle: BufferHandle, task) => openBuffer(handle).write(task).fill(0),
 * });
 * ```
 * @since 0.1.0
 */
export interface RunningTask {
  /** Id of the job. */
  readonly id: number;
  /** Aborts if the job is cancelled, in a turn of the worker's event loop. */
  readonly signal: AbortSignal;
  /**
   * The units that the job takes, by the name of the resource, as {@link RunningJob.units} when the
   * task began; of a job that declares no units none.
   *
   * @example
   * ```ts no-run
   * import { serveTasks } from 'kds/jobs';
   *
   * serveTasks({ train: (_, task) => console.log(task.units['gpu']) }); // [ 'gpu0' ]
   * ```
   * @since 0.2.0
   */
  readonly units: Readonly<Record<string, readonly Unit[]>>;
  /**
   * Checks whether the job declared all of a set, by name and in that mode or a stronger one and
   * units at least as many, and the task still runs. The loss of the grant is not known here.
   *
   * @param set - The set.
   * @throws {@link InvalidSetError} or {@link LimitError} if the set is invalid.
   * @waits Never.
   */
  covers(set: SetSpec): boolean;
}

/**
 * Does the work of a task: its return value, or the value to which that resolves, is the job's
 * result.
 *
 * @param data - The `data` of the job, cloned.
 * @param task - The task itself.
 * @since 0.1.0
 */
export type TaskFunction = (data: never, task: RunningTask) => unknown;

/**
 * A port that delivers a queue's messages: a MessagePort of Node or of a browser.
 *
 * @example
 * ```ts
 * import { serveTasks, type TaskPort } from 'kds/jobs';
 *
 * const { port1, port2 } = new MessageChannel();
 * const port: TaskPort = port1;
 * serveTasks({ double: (value: number) => 2 * value }, port);
 * port2.close();
 * ```
 * @since 0.1.0
 */
export interface TaskPort {
  /**
   * Sends a message to the queue.
   *
   * @param message - Data that can be cloned.
   * @waits Never.
   */
  postMessage(message: unknown): void;
}

/**
 * Serves the tasks of a queue. To be called once in a worker that a queue starts: from then on the
 * worker runs the functions that jobs name as their `task`.
 *
 * @param tasks - The functions, by name.
 * @param port - The source of messages. Default: the port to the thread that made this worker.
 * @throws TypeError if a task is no function.
 * @throws {@link UnsupportedError} if there is no default port, as outside of a worker.
 * @waits Never.
 * @example
 * ```ts no-run
 * import { serveTasks } from 'kds/jobs';
 *
 * serveTasks({
 *   double: (memory: SharedArrayBuffer) => {
 *     const cells = new Int32Array(memory);
 *     for (let index = 0; index < cells.length; index++) cells[index] *= 2;
 *   },
 * });
 * ```
 * @since 0.1.0
 */
export function serveTasks(
  tasks: Readonly<Record<string, TaskFunction>>,
  port: TaskPort = portToParent(),
): void {
  for (const [name, task] of Object.entries(tasks)) checkFunction(task, `task ${describe(name)}`);
  const functions = new Map(Object.entries(tasks));
  const running = new Map<number, Task>();
  onMessage(port, (message) => {
    if (!isToWorker(message)) return;
    if (message.kds === 'abort task') running.get(message.id)?.controller.abort(message.reason);
    else void run(message);
  });

  const run = async (message: ToWorker & { kds: 'run task' }): Promise<void> => {
    const { id } = message;
    const task = new Task(id, message.set, message.units);
    running.set(id, task);
    try {
      const fn = functions.get(message.task);
      if (fn === undefined) throw unknownTask(message.task, functions);
      const result = await fn(message.data as never, task);
      task.isRunning = false;
      send({ kds: 'task done', id, result });
    } catch (error) {
      const { aborted, reason } = task.controller.signal;
      const isAborted = aborted && error === reason;
      send({ kds: 'task failed', id, error: sendable(error), isAborted });
    } finally {
      task.isRunning = false;
      running.delete(id);
    }
  };

  const send = (message: FromWorker): void => {
    try {
      port.postMessage(message);
    } catch (error) {
      // A result that cannot be cloned is a failure; of such an error the text is sent.
      if (message.kds === 'task done') throw error;
      port.postMessage({ ...message, error: new Error(String(message.error)) });
    }
  };
}

/** An error that can be cloned: some runtimes make an empty object of a DOMException. */
function sendable(error: unknown): unknown {
  return error instanceof DOMException ? new Error(String(error)) : error;
}

class Task implements RunningTask {
  readonly id: number;
  readonly controller = new AbortController();
  readonly units: RunningTask['units'];
  isRunning = true;
  readonly #set: NamedSet;

  constructor(id: number, set: NamedSet, units: RunningTask['units'] = {}) {
    this.id = id;
    this.#set = set;
    this.units = units;
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  covers(set: SetSpec): boolean {
    const wanted = wantedIn(set);
    return this.isRunning && isWithin(this.#set, wanted);
  }
}

function unknownTask(name: string, tasks: ReadonlyMap<string, TaskFunction>): TypeError {
  const known = [...tasks.keys()].map(describe).join(', ');
  return new TypeError(`this worker has no task ${describe(name)}, only ${known || 'none at all'}`);
}

interface Emitter {
  on(event: string, listener: (value: unknown) => void): void;
}

function onMessage(port: TaskPort, listener: (message: unknown) => void): void {
  if ('on' in port) (port as unknown as Emitter).on('message', listener);
  else {
    const target = port as unknown as EventTarget & { start?(): void };
    target.addEventListener('message', (event) => listener((event as MessageEvent).data));
    target.start?.();
  }
}

function portToParent(): TaskPort {
  const load = globalThis.process?.getBuiltinModule as ((id: string) => unknown) | undefined;
  const threads = load?.('worker_threads') as { parentPort: TaskPort | null } | undefined;
  const scope = globalThis as unknown as TaskPort & { WorkerGlobalScope?: unknown };
  const port = threads === undefined ? scope : threads.parentPort;
  if (port === null || (threads === undefined && scope.WorkerGlobalScope === undefined)) {
    throw new UnsupportedError('serveTasks is for workers: this is no worker, and has no parent');
  }
  return port;
}
