/** Options of a display, and their check at the boundary. */

import type { Grant } from '../../api/grant.ts';
import { checkFunction, checkIsObject, checkLabel, checkTimeout } from '../../api/options.ts';
import { describe } from '../../api/sets.ts';
import type { DisplayBuffer } from './flip.ts';
import type { Vsync } from './vsync.ts';

/**
 * Options of {@link createDisplay}.
 *
 * @since 0.1.0
 */
export interface DisplayOptions<B extends DisplayBuffer, G extends Grant = Grant> {
  /** The swap chain: 2 to 16 buffers. Two is double, three is triple buffering. */
  readonly buffers: readonly B[];
  /** The source of vsyncs, for example {@link timerVsync}. The display has no other clock. */
  readonly vsync: Vsync;
  /**
   * 'fifo' (default): every frame, in the order of `present`. 'mailbox': the newest ready frame.
   */
  readonly mode?: 'fifo' | 'mailbox' | undefined;
  /**
   * Time limit of a producer, ms, 0 or more, after which its frame is dropped and the old one
   * stays: since its turn came (fifo), or since it was presented (mailbox). Checked at vsyncs.
   * Default Infinity.
   */
  readonly deadlineMs?: number | undefined;
  /**
   * Called at the vsync that puts a frame on the screen, in the asynchronous context of the call
   * that made the display. An error that it throws is uncaught.
   */
  readonly onShown?: ((frame: ShownFrame<B, G>) => void) | undefined;
  /** Used in snapshots and errors. At most 1024 code units. Default 'display'. */
  readonly label?: string | undefined;
}

/**
 * A frame on the screen. Its buffer may be read under its grant until the next frame is shown.
 *
 * @since 0.1.0
 */
export interface ShownFrame<B extends DisplayBuffer, G extends Grant = Grant> {
  /** See {@link Flip.number}. */
  readonly number: number;
  /** The buffer of the frame. */
  readonly buffer: B;
  /** The grant of the buffer, shared. */
  readonly grant: G;
  /** Time of the vsync that put it on the screen, ms by {@link Vsync.now}. */
  readonly timeMs: number;
}

/**
 * Options of {@link Display.acquireBuffer}.
 *
 * @since 0.1.0
 */
export interface AcquireBufferOptions {
  /** Ends the wait: rejects with `signal.reason` itself. No effect once granted. */
  readonly signal?: AbortSignal | undefined;
  /** Time limit of the wait, ms, 0 or more. Default Infinity. */
  readonly timeoutMs?: number | undefined;
  /**
   * Identifies the requests, one for each buffer, in snapshots and errors. At most 1024 code units.
   */
  readonly label?: string | undefined;
}

/** Reads each option once. @throws TypeError, RangeError, LimitError */
export function readDisplayOptions<B extends DisplayBuffer, G extends Grant>(
  options: DisplayOptions<B, G>,
): DisplayOptions<B, G> {
  checkIsObject(options);
  const { buffers: given, vsync, mode, deadlineMs, onShown, label } = options;
  if (!Array.isArray(given)) {
    throw new TypeError(`buffers are a list of 2 to 16, not ${describe(given)}`);
  }
  const { length } = given;
  if (!(length >= 2 && length <= 16)) {
    throw new RangeError(`a swap chain has 2 to 16 buffers, not ${length}`);
  }
  const buffers = Array.from({ length }, (_, index) => given[index] as B);
  if (buffers.some((buffer) => buffer?.resource === undefined)) {
    throw new TypeError('each buffer of a swap chain has a resource');
  }
  if (typeof vsync?.start !== 'function' || typeof vsync.now !== 'function') {
    throw new TypeError(`vsync is, for example, timerVsync(), not ${describe(vsync)}`);
  }
  if (mode !== undefined && mode !== 'fifo' && mode !== 'mailbox') {
    throw new TypeError(`mode is 'fifo' or 'mailbox', not ${describe(mode)}`);
  }
  if (deadlineMs !== undefined) checkTimeout(deadlineMs, 'deadlineMs');
  if (onShown !== undefined) checkFunction(onShown, 'onShown');
  if (label !== undefined) checkLabel(label);
  return { buffers, vsync, mode, deadlineMs, onShown, label };
}
