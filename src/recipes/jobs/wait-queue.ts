/**
 * First come, first served, O(1) a step: a list with a moving head.
 *
 * Whoever leaves from the middle stays in the list until it is his turn, and is passed over; when
 * those are the larger part they are cleared away. So who comes and goes leaves nothing behind.
 */

const clearMin = 1024;

export class Line<T> {
  #items: T[] = [];
  #head = 0;
  #goneCount = 0;
  readonly #isIn: (item: T) => boolean;

  /** `isIn` says whether an item still stands in line. */
  constructor(isIn: (item: T) => boolean) {
    this.#isIn = isIn;
  }

  /** Those who stand in line, the first one first. */
  items(): readonly T[] {
    return this.#items.slice(this.#head).filter(this.#isIn);
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** Takes the first one that still stands in line. */
  shift(): T | undefined {
    while (this.#head < this.#items.length) {
      const item = this.#items[this.#head] as T;
      this.#items[this.#head] = undefined as T;
      this.#head++;
      if (this.#head >= clearMin && this.#head * 2 >= this.#items.length) this.#clear();
      if (this.#isIn(item)) return item;
      if (this.#goneCount > 0) this.#goneCount--;
    }
    return undefined;
  }

  /** One of those in line is so no more. */
  noteGone(): void {
    this.#goneCount++;
    const { length } = this.#items;
    if (this.#goneCount >= clearMin && this.#goneCount * 2 >= length - this.#head) this.#clear();
  }

  #clear(): void {
    this.#items = this.#items.slice(this.#head);
    if (this.#goneCount > 0) this.#items = this.#items.filter(this.#isIn);
    this.#head = 0;
    this.#goneCount = 0;
  }
}
