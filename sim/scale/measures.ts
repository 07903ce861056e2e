/** What is measured: how long clients waited, and how long parts of sets stood idle for them. */

export class Measures {
  /** Waits of those who asked from that moment on; and only what they have had counts. */
  readonly #fromMs: number;
  #waits = new Float64Array(1024);
  #waitCount = 0;
  #reservedMs = 0;
  /** By client: the set that it is about, and when the first of its parts was triggered. */
  readonly #numbers: Int32Array;
  readonly #firstMs: Float64Array;
  readonly #lastMs: Float64Array;

  constructor(clientCount: number, fromMs: number) {
    this.#fromMs = fromMs;
    this.#numbers = new Int32Array(clientCount);
    this.#firstMs = new Float64Array(clientCount);
    this.#lastMs = new Float64Array(clientCount);
  }

  /** A part of a set is triggered: nobody else can have it from now on. */
  partTriggered(client: number, number: number, nowMs: number): void {
    if (this.#numbers[client] !== number) {
      this.#numbers[client] = number;
      this.#firstMs[client] = nowMs;
    }
    this.#lastMs[client] = nowMs;
  }

  /** A client that asked at that moment has its set. */
  waited(client: number, waitMs: number, requestedMs: number): void {
    if (requestedMs < this.#fromMs) return;
    if (this.#waitCount === this.#waits.length) {
      const larger = new Float64Array(this.#waits.length * 2);
      larger.set(this.#waits);
      this.#waits = larger;
    }
    this.#waits[this.#waitCount++] = waitMs;
    this.#reservedMs += (this.#lastMs[client] as number) - (this.#firstMs[client] as number);
  }

  get waitCount(): number {
    return this.#waitCount;
  }

  /** From a set's first part that is triggered to its last, on average; NaN if there was none. */
  get reservedMeanMs(): number {
    return this.#reservedMs / this.#waitCount;
  }

  /** The waits below which these parts (0 to 1) of all lie; NaN if there was none. */
  percentiles(parts: readonly number[]): readonly number[] {
    const sorted = this.#waits.slice(0, this.#waitCount).sort();
    return parts.map((part) => {
      const place = Math.min(Math.ceil(part * sorted.length), sorted.length) - 1;
      return sorted[Math.max(place, 0)] ?? Number.NaN;
    });
  }
}
