/** First in, first out, in O(1) whatever its length: a ring that doubles when it is full. */

/** A power of two. It is never smaller: a short queue that comes and goes allocates nothing. */
const capacityMin = 16;

export class Fifo<T> {
  #ring: (T | undefined)[] = emptyRing(capacityMin);
  #head = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(item: T): void {
    if (this.#size === this.#ring.length) this.#grow();
    this.#ring[(this.#head + this.#size) & (this.#ring.length - 1)] = item;
    this.#size++;
  }

  shift(): T | undefined {
    if (this.#size === 0) return undefined;
    const item = this.#ring[this.#head];
    this.#ring[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#ring.length - 1);
    this.#size--;
    if (this.#size === 0 && this.#ring.length > capacityMin) this.#forgetBurst();
    return item;
  }

  /** In order. Nothing may be added or removed during the iteration. */
  *[Symbol.iterator](): Iterator<T> {
    for (let index = 0; index < this.#size; index++) {
      yield this.#ring[(this.#head + index) & (this.#ring.length - 1)] as T;
    }
  }

  #forgetBurst(): void {
    this.#ring = emptyRing(capacityMin);
    this.#head = 0;
  }

  #grow(): void {
    const ring = emptyRing<T>(this.#ring.length * 2);
    for (let index = 0; index < this.#size; index++) {
      ring[index] = this.#ring[(this.#head + index) & (this.#ring.length - 1)];
    }
    this.#ring = ring;
    this.#head = 0;
  }
}

function emptyRing<T>(capacity: number): (T | undefined)[] {
  return new Array<T | undefined>(capacity).fill(undefined);
}
