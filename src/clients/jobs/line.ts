/** First come, first served: a growing list with a moving head, O(1) a step. */

const shiftMin = 1024;

export class Line<T> {
  #items: T[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  /** All that are in it, the first one first. */
  items(): readonly T[] {
    return this.#items.slice(this.#head);
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    if (this.#head === this.#items.length) return undefined;
    const item = this.#items[this.#head] as T;
    this.#items[this.#head] = undefined as T;
    this.#head++;
    // What is in front has been taken: copied away once it is the larger part.
    if (this.#head >= shiftMin && this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** The first one that passes; those before it are done with. */
  shiftWhere(passes: (item: T) => boolean): T | undefined {
    for (let item = this.shift(); item !== undefined; item = this.shift()) {
      if (passes(item)) return item;
    }
    return undefined;
  }
}
