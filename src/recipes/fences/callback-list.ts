/**
 * The callbacks of one fence, in the order in which they were added, each removed in O(1).
 *
 * A callback is on the list until it is taken off, either to be removed or to run, and only one of
 * the two can take it off. So it runs exactly once, or it is certain not to run.
 */

import { type Linked, LinkedList } from '../../runtime/linked-list.ts';

export class CallbackList<F> {
  readonly #links = new LinkedList<Link<F>>();

  get isEmpty(): boolean {
    return this.#links.first === undefined;
  }

  add(fn: F): FenceCallback {
    const link: Link<F> = { fn, isListed: true, previous: undefined, next: undefined };
    this.#links.add(link);
    return { remove: () => this.#takeOff(link) };
  }

  /** Takes the first one off. */
  shift(): F | undefined {
    const link = this.#links.first;
    if (link === undefined) return undefined;
    this.#takeOff(link);
    return link.fn;
  }

  #takeOff(link: Link<F>): boolean {
    if (!link.isListed) return false;
    this.#links.delete(link);
    link.isListed = false;
    return true;
  }
}

/**
 * A function that is called when a fence ends: the result of {@link Fence.addCallback}.
 *
 * @example
 * ```ts
 * import { Fence } from 'kds/fences';
 *
 * const fence = new Fence();
 * const callback = fence.addCallback(() => console.log('never'));
 * console.log(callback?.remove(), callback?.remove()); // true false
 * fence.signal();
 * ```
 * @since 0.1.0
 */
export interface FenceCallback {
  /**
   * Removes the function.
   *
   * @returns True if this call removes it: then it never runs. False if it has run or was removed.
   * @waits Never.
   */
  remove(): boolean;
}

interface Link<F> extends Linked<Link<F>> {
  readonly fn: F;
  isListed: boolean;
}
