/**
 * Virtual time for very many events: a heap in typed arrays.
 *
 * A million clients have a million events ahead of them at any moment. `VirtualClock`, which the
 * simulations of protocols run on, makes an object and a closure of each, and can cancel it; here
 * an event is a moment and three integers, takes 32 bytes and no collection of garbage, and cannot
 * be cancelled: whoever gets it sees whether it is still of interest. The heap has four children a
 * node, as it is memory that it waits for. Events of one moment come in the order in which they
 * were pushed, so a run is a function of its seed.
 */

const slotsAtFirst = 1024;

export class EventHeap {
  /** The event taken last: its moment, in virtual ms, and its three integers. */
  nowMs = 0;
  kind = 0;
  who = 0;
  what = 0;
  #length = 0;
  #pushed = 0;
  /** By place in the heap. */
  #atMs = new Float64Array(slotsAtFirst);
  #slot = new Int32Array(slotsAtFirst);
  /** By slot. */
  #order = new Float64Array(slotsAtFirst);
  #words = new Int32Array(slotsAtFirst * 3);
  #freeSlots = new Int32Array(slotsAtFirst).map((_, index) => index);

  get length(): number {
    return this.#length;
  }

  /** How many have ever been pushed. */
  get pushedCount(): number {
    return this.#pushed;
  }

  /** When the next one is due; Infinity if there is none. */
  get nextMs(): number {
    return this.#length === 0 ? Number.POSITIVE_INFINITY : (this.#atMs[0] as number);
  }

  /** Throws RangeError if that moment has passed, or is none. */
  push(atMs: number, kind: number, who: number, what: number): void {
    if (!(atMs >= this.nowMs)) throw new RangeError(`${atMs} ms is before ${this.nowMs} ms`);
    if (this.#length === this.#slot.length) this.#grow();
    const slot = this.#freeSlots[this.#length] as number;
    const order = this.#pushed++;
    this.#order[slot] = order;
    this.#words[slot * 3] = kind;
    this.#words[slot * 3 + 1] = who;
    this.#words[slot * 3 + 2] = what;
    let place = this.#length++;
    while (place > 0) {
      const parent = (place - 1) >> 2;
      // Among equals the older one is first, and this one is the youngest of all.
      if ((this.#atMs[parent] as number) <= atMs) break;
      this.#move(parent, place);
      place = parent;
    }
    this.#atMs[place] = atMs;
    this.#slot[place] = slot;
  }

  /** Takes the next event and moves time on to it; false if there is none. */
  take(): boolean {
    if (this.#length === 0) return false;
    const slot = this.#slot[0] as number;
    this.nowMs = this.#atMs[0] as number;
    this.kind = this.#words[slot * 3] as number;
    this.who = this.#words[slot * 3 + 1] as number;
    this.what = this.#words[slot * 3 + 2] as number;
    this.#length--;
    this.#freeSlots[this.#length] = slot;
    if (this.#length > 0) this.#sink();
    return true;
  }

  /** Puts the last event where it belongs, from the top on. */
  #sink(): void {
    const length = this.#length;
    const atMs = this.#atMs[length] as number;
    const slot = this.#slot[length] as number;
    const order = this.#order[slot] as number;
    let place = 0;
    for (;;) {
      const first = place * 4 + 1;
      if (first >= length) break;
      let least = first;
      const end = Math.min(first + 4, length);
      for (let child = first + 1; child < end; child++) {
        if (this.#isBefore(child, this.#atMs[least] as number, this.#slot[least] as number)) {
          least = child;
        }
      }
      const leastMs = this.#atMs[least] as number;
      if (leastMs > atMs) break;
      if (leastMs === atMs && (this.#order[this.#slot[least] as number] as number) > order) break;
      this.#move(least, place);
      place = least;
    }
    this.#atMs[place] = atMs;
    this.#slot[place] = slot;
  }

  #isBefore(place: number, atMs: number, slot: number): boolean {
    const ownMs = this.#atMs[place] as number;
    if (ownMs !== atMs) return ownMs < atMs;
    return (this.#order[this.#slot[place] as number] as number) < (this.#order[slot] as number);
  }

  #move(from: number, to: number): void {
    this.#atMs[to] = this.#atMs[from] as number;
    this.#slot[to] = this.#slot[from] as number;
  }

  #grow(): void {
    const length = this.#slot.length;
    this.#atMs = copied(new Float64Array(length * 2), this.#atMs);
    this.#slot = copied(new Int32Array(length * 2), this.#slot);
    this.#order = copied(new Float64Array(length * 2), this.#order);
    this.#words = copied(new Int32Array(length * 6), this.#words);
    this.#freeSlots = new Int32Array(length * 2).map((_, index) => index);
  }
}

function copied<T extends Int32Array | Float64Array>(larger: T, from: T): T {
  larger.set(from);
  return larger;
}
