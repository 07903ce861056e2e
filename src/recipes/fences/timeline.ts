/**
 * A sequence of points: point n is reached when points 1 to n have ended, in any order. (Linux:
 * dma_fence_chain; Vulkan: timeline semaphores.)
 *
 * Points are numbered from 1 as they are added. A point that ends before an earlier one is kept by
 * number until its turn; `value` then advances over it. Each point is passed once, so all of them
 * cost O(points), whatever the order.
 */

import { LimitError } from '../../api/errors.ts';
import { checkIsObject, checkLabel } from '../../api/options.ts';
import { describe } from '../../api/sets.ts';
import { Fence } from './fence.ts';

/** Points that are added or requested, and not reached, at most. */
const openPointsMax = 2 ** 20;
/** Errors that are kept after their points are reached, at most: the last ones. */
const errorsKept = 1024;

/**
 * Options of a timeline.
 *
 * @since 0.1.0
 */
export interface TimelineOptions {
  /** Used in errors. At most 1024 code units. */
  readonly label?: string | undefined;
}

interface Failure {
  readonly error: unknown;
}

/**
 * A sequence of points, numbered from 1: point n is reached when points 1 to n have ended, in any
 * order.
 *
 * @example
 * ```ts
 * import { Timeline } from 'kds/fences';
 *
 * const frames = new Timeline({ label: 'frames' });
 * const [first, second] = [frames.add(), frames.add()];
 * const drawn = frames.point(second);
 * frames.signal(second);
 * console.log(frames.value, drawn.status); // 0 pending
 * frames.signal(first);
 * console.log(frames.value, drawn.status); // 2 ok
 * ```
 * @since 0.1.0
 */
export class Timeline {
  /** The label of its options. */
  readonly label: string | undefined;
  #value = 0;
  #last = 0;
  /** Points that ended before an earlier one, with the failure of those that failed. */
  readonly #ended = new Map<number, Failure | undefined>();
  /** Fences that were returned for points not reached yet. */
  readonly #requested = new Map<number, Fence>();
  readonly #works = new Map<number, Fence>();
  readonly #failures = new Map<number, Failure>();
  /** Hints for points that are not added yet. */
  #hintsAhead: { readonly upTo: number; readonly atMs: number }[] = [];

  /**
   * Makes a timeline without points.
   *
   * @param options - A label.
   * @throws TypeError if an option is invalid.
   * @throws {@link LimitError} if `label` is longer than 1024 code units.
   */
  constructor(options: TimelineOptions = {}) {
    checkIsObject(options);
    const { label } = options;
    if (label !== undefined) checkLabel(label);
    this.label = label;
  }

  /** The last point that is reached: all points up to it have ended. 0 at first. */
  get value(): number {
    return this.#value;
  }

  /** The last point that has been added. 0 at first. */
  get last(): number {
    return this.#last;
  }

  /**
   * Adds a point. It ends with the fence, or, without one, by {@link signal} or {@link fail}.
   *
   * @param work - The fence that ends the point.
   * @returns The number of the point.
   * @throws {@link LimitError} if 1,048,576 points are open.
   * @throws TypeError if `work` is no fence.
   * @waits Never.
   */
  add(work?: Fence): number {
    if (work !== undefined && !(work instanceof Fence)) {
      throw new TypeError(`a point ends with a fence, not ${describe(work)}`);
    }
    if (this.#last - this.#value >= openPointsMax) {
      throw new LimitError(`${openPointsMax} points are open${this.#named()}: end some first`);
    }
    this.#last++;
    const point = this.#last;
    if (work !== undefined) this.#follow(point, work);
    return point;
  }

  /**
   * Ends a point.
   *
   * @param point - Its number, from 1 to {@link last}.
   * @returns False if it had ended before.
   * @throws RangeError if it was not added.
   * @waits Never.
   */
  signal(point: number): boolean {
    return this.#end(point, undefined);
  }

  /**
   * Ends a point with an error. Only the fence of this point has the error: later points are
   * reached all the same.
   *
   * @param point - Its number, from 1 to {@link last}.
   * @param error - The error, of any type.
   * @returns False if it had ended before.
   * @throws RangeError if it was not added.
   * @waits Never.
   */
  fail(point: number, error: unknown): boolean {
    return this.#end(point, { error });
  }

  /**
   * Returns the fence of a point, also of one that is not added yet: it ends when the point is
   * reached. Hints are passed on to the fences of all points up to it. Errors of the last 1024
   * failed points are kept: the fence of an older one that is first requested later is ok.
   *
   * @param point - Its number, from 1 to 1,048,576 ahead of {@link value}.
   * @throws RangeError if it is out of these bounds.
   * @waits Never. Await the fence.
   */
  point(point: number): Fence {
    if (!Number.isSafeInteger(point) || point < 1 || point > this.#value + openPointsMax) {
      const most = this.#value + openPointsMax;
      throw new RangeError(`a point${this.#named()} is 1 to ${most}, not ${describe(point)}`);
    }
    const known = this.#requested.get(point);
    if (known !== undefined) return known;
    const label = this.label === undefined ? undefined : `${this.label.slice(0, 1000)} ${point}`;
    const fence = new Fence({ label, onDeadline: (atMs) => this.#hint(point, atMs) });
    if (point > this.#value) this.#requested.set(point, fence);
    else endFence(fence, this.#failures.get(point));
    return fence;
  }

  #follow(point: number, work: Fence): void {
    const ended = (): void => {
      this.#works.delete(point);
      this.#end(point, work.status === 'error' ? { error: work.error } : undefined);
    };
    if (work.addCallback(ended) === null) {
      ended();
      return;
    }
    this.#works.set(point, work);
    if (this.#hintsAhead.length === 0) return;
    for (const { upTo, atMs } of this.#hintsAhead) if (upTo >= point) work.hintDeadline(atMs);
    this.#hintsAhead = this.#hintsAhead.filter(({ upTo }) => upTo > point);
  }

  #end(point: number, failure: Failure | undefined): boolean {
    if (!Number.isSafeInteger(point) || point < 1 || point > this.#last) {
      throw new RangeError(`no point ${describe(point)} has been added${this.#named()}`);
    }
    if (point <= this.#value || this.#ended.has(point)) return false;
    this.#ended.set(point, failure);
    while (this.#ended.has(this.#value + 1)) this.#pass();
    return true;
  }

  /** The next point is reached. Its callbacks run last, in a consistent state. */
  #pass(): void {
    this.#value++;
    const point = this.#value;
    const failure = this.#ended.get(point);
    this.#ended.delete(point);
    if (failure !== undefined) this.#keep(point, failure);
    const fence = this.#requested.get(point);
    if (fence === undefined) return;
    this.#requested.delete(point);
    endFence(fence, failure);
  }

  #keep(point: number, failure: Failure): void {
    this.#failures.set(point, failure);
    if (this.#failures.size <= errorsKept) return;
    for (const oldest of this.#failures.keys()) {
      this.#failures.delete(oldest);
      return;
    }
  }

  #hint(upTo: number, atMs: number): void {
    for (const [point, work] of this.#works) if (point <= upTo) work.hintDeadline(atMs);
    if (upTo <= this.#last) return;
    // Hints that this one includes are dropped.
    const more = this.#hintsAhead.filter((hint) => hint.upTo > upTo || hint.atMs < atMs);
    this.#hintsAhead = [...more, { upTo, atMs }];
  }

  #named(): string {
    return this.label === undefined ? '' : ` of ${describe(this.label)}`;
  }
}

function endFence(fence: Fence, failure: Failure | undefined): void {
  if (failure === undefined) fence.signal();
  else fence.fail(failure.error);
}
