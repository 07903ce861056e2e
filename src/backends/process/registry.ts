/** Small numbers, from 1, for objects, so that words can name them. */

export class Registry<T extends object> {
  /** An object, or, where there is none, the next free number (0: no further). */
  #items: (T | number)[] = [0];
  #free = 0;
  #count = 0;

  /** How many objects it holds. */
  get count(): number {
    return this.#count;
  }

  add(item: T): number {
    this.#count++;
    const number = this.#free;
    if (number === 0) return this.#items.push(item) - 1;
    this.#free = this.#items[number] as number;
    this.#items[number] = item;
    return number;
  }

  /** Gives the number of an object to another one. */
  replace(number: number, item: T): void {
    this.#items[number] = item;
  }

  get(number: number): T {
    return this.#items[number] as T;
  }

  delete(number: number): void {
    this.#count--;
    this.#items[number] = this.#free;
    this.#free = number;
  }

  /** The same objects by the same numbers. */
  copy(): Registry<T> {
    const copy = new Registry<T>();
    copy.#items = this.#items.slice();
    copy.#free = this.#free;
    copy.#count = this.#count;
    return copy;
  }

  /** Forgets all, and gives back the memory. */
  clear(): void {
    this.#items = [0];
    this.#free = 0;
    this.#count = 0;
  }

  values(): readonly T[] {
    return this.#items.filter((item): item is T => typeof item === 'object');
  }
}
