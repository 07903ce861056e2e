/**
 * The callbacks of one fence, in the order in which they were added, each removed in O(1).
 *
 * A callback is on the list until it is taken off, to be removed or to be run, and whoever takes it
 * off has it. So it runs exactly once, or is removed for certain.
 */

export class CallbackList<F> {
  #first: Link<F> | undefined = undefined;
  #last: Link<F> | undefined = undefined;

  get isEmpty(): boolean {
    return this.#first === undefined;
  }

  add(fn: F): FenceCallback {
    const link: Link<F> = { fn, isListed: true, previous: this.#last, next: undefined };
    if (this.#last === undefined) this.#first = link;
    else this.#last.next = link;
    this.#last = link;
    return { remove: () => this.#takeOff(link) };
  }

  /** Takes the first one off. */
  shift(): F | undefined {
    const link = this.#first;
    if (link === undefined) return undefined;
    this.#takeOff(link);
    return link.fn;
  }

  #takeOff(link: Link<F>): boolean {
    if (!link.isListed) return false;
    const { previous, next } = link;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    link.isListed = false;
    return true;
  }
}

/** A function that is to be called when a fence ends. */
export interface FenceCallback {
  /** True if it is removed: then it never runs. False if it has run, or was removed before. */
  remove(): boolean;
}

interface Link<F> {
  readonly fn: F;
  isListed: boolean;
  previous: Link<F> | undefined;
  next: Link<F> | undefined;
}
