/**
 * kds/inspect/trace: records the domains of this thread in a file that Perfetto and
 * chrome://tracing open, and that `kds check-trace` checks against the rule.
 */

import { appendFileSync, closeSync, openSync, writeSync } from 'node:fs';
import { basename } from 'node:path';
import { threadId } from 'node:worker_threads';
import { watchEvents } from '../api/events.ts';
import { clearRealTimeout, setRealTimeout } from '../runtime/real-time.ts';
import { TraceFormat } from './trace-format.ts';

export { type CheckedDomain, type CheckedTrace, checkTrace } from './check-trace.ts';

/** Limits of the buffer before it is written, in code units and in ms. */
const unwrittenMax = 64 * 1024;
const unwrittenMs = 200;

/**
 * Options of a trace.
 *
 * @since 0.2.0
 */
export interface TracingOptions {
  /**
   * Called once, with the error of the file system, if the trace cannot be written or ends early.
   * By default the process emits a warning. May be called as the process exits.
   */
  readonly onFailure?: ((error: Error) => void) | undefined;
}

/**
 * A trace that is being written.
 *
 * @example
 * ```ts
 * import { traceIfAsked } from 'kds/inspect/trace';
 *
 * const tracing = traceIfAsked(); // undefined without KDS_TRACE
 * tracing?.stop();
 * ```
 * @since 0.1.0
 */
export interface Tracing {
  /**
   * Writes the rest, and ends the trace. Calling it again does nothing.
   *
   * @waits Never, but for the file system.
   */
  stop(): void;
}

/**
 * Appends all events of all domains of this thread to a file, from now on. Threads and processes
 * may write to the same file. Complete lines are written after 64 KiB or 0.2 s, and as the process
 * exits. If that fails, the trace ends, and the program goes on. Costs some µs an event, and
 * synchronous writes.
 *
 * @param path - The file. It is made with mode 0600 if it does not exist.
 * @param options - A listener for failures.
 * @throws The error of the file system, if the file cannot be opened.
 * @waits Never, but for the file system.
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 * import { checkTrace, traceTo } from 'kds/inspect/trace';
 * import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
 * import { tmpdir } from 'node:os';
 *
 * const folder = mkdtempSync(`${tmpdir()}/trace-`);
 * const tracing = traceTo(`${folder}/trace.json`);
 * await createDomain().run({ exclusive: 'a' }, () => {});
 * tracing.stop();
 * const { faults } = checkTrace(readFileSync(`${folder}/trace.json`, 'utf8'));
 * console.log(faults); // []
 * rmSync(folder, { recursive: true });
 * ```
 * @since 0.1.0
 */
export function traceTo(path: string, options: TracingOptions = {}): Tracing {
  begin(path);
  const title = `${basename(process.argv[1] ?? process.title)} ${process.pid}`;
  const format = new TraceFormat({ pid: process.pid, threadId, title });
  let unwritten = '';
  let timer: ReturnType<typeof setTimeout> | undefined;
  const write = (): void => {
    clearRealTimeout(timer);
    timer = undefined;
    const lines = unwritten;
    unwritten = '';
    if (lines === '') return;
    try {
      appendFileSync(path, lines);
    } catch (error) {
      giveUp(error);
    }
  };
  /** A trace that cannot be written does not stop the program. */
  const giveUp = (error: unknown): void => {
    end();
    reportFailure(path, error, options);
  };
  const add = (lines: readonly string[]): void => {
    for (const line of lines) unwritten += `${line},\n`;
    if (unwritten.length > unwrittenMax || isOver) write();
    else timer ??= setRealTimeout(write, unwrittenMs).unref();
  };
  const stopWatching = watchEvents((name, event) => add(format.add(name, event)));
  let isOver = false;
  const end = (): void => {
    isOver = true;
    stopWatching();
    process.off('exit', stop);
  };
  const stop = (): void => {
    if (isOver) return;
    end();
    add(format.endAll(nowUs()));
  };
  process.on('exit', stop);
  return { stop };
}

/**
 * Calls {@link traceTo} with the file that the environment's KDS_TRACE names, if it does. If that
 * cannot be written there is no trace, and the program goes on.
 *
 * @param options - A listener for failures.
 * @returns Undefined if there is no trace.
 * @waits Never, but for the file system.
 * @example
 * ```ts
 * import { traceIfAsked } from 'kds/inspect/trace';
 *
 * traceIfAsked({ onFailure: (error) => console.error(error.message) });
 * ```
 * @since 0.1.0
 */
export function traceIfAsked(options: TracingOptions = {}): Tracing | undefined {
  const { KDS_TRACE: path = '' } = process.env;
  if (path === '') return undefined;
  try {
    return traceTo(path, options);
  } catch (error) {
    reportFailure(path, error, options);
    return undefined;
  }
}

function reportFailure(path: string, error: unknown, { onFailure }: TracingOptions): void {
  const cause = error instanceof Error ? error : new Error(String(error));
  if (onFailure !== undefined) {
    onFailure(cause);
    return;
  }
  const warning = new Error(`the trace ends, as ${path} cannot be written: ${cause.message}`);
  warning.name = 'Warning';
  // Not by `emitWarning`, which emits on the next turn: a process that exits has no next turn.
  process.emit('warning', warning);
}

/** The process that makes the file writes the head of its array. */
function begin(path: string): void {
  try {
    const fd = openSync(path, 'wx', 0o600);
    writeSync(fd, '[\n');
    closeSync(fd);
  } catch (error) {
    const exists = error instanceof Error && 'code' in error && error.code === 'EEXIST';
    if (!exists) throw error;
    // A file that may not be written fails here, and not at the first event.
    closeSync(openSync(path, 'a'));
  }
}

function nowUs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e6 + nanoseconds / 1000;
}
