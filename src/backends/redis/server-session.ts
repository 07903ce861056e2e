/** A session as the server knows it: what its calls are numbered by, and what it was told. */

export class ServerSession {
  /** `<client>.<number>`; the client's channel is named for the first part. */
  readonly id: string;
  /** Of the last call that was made. */
  numberLast = 0;
  /** Of the last call that was answered: the server has forgotten something if it knows less. */
  numberAnswered = 0;
  /** So much news has been heard, without a gap. */
  #heardCount = 0;
  /** Numbers of news that came before others: answers and channels do not wait for each other. */
  readonly #ahead = new Set<number>();

  constructor(id: string) {
    this.id = id;
  }

  nextNumber(): number {
    this.numberLast++;
    return this.numberLast;
  }

  answered(number: number): void {
    this.numberAnswered = Math.max(this.numberAnswered, number);
  }

  /** False if that news has been heard before. */
  hear(number: number): boolean {
    if (number <= this.#heardCount || this.#ahead.has(number)) return false;
    this.#ahead.add(number);
    while (this.#ahead.delete(this.#heardCount + 1)) this.#heardCount++;
    return true;
  }

  /** All news up to this has been heard, or is made good otherwise. */
  heardAll(count: number): void {
    this.#heardCount = count;
    for (const number of this.#ahead) if (number <= count) this.#ahead.delete(number);
    while (this.#ahead.delete(this.#heardCount + 1)) this.#heardCount++;
  }

  /** Whether something must have been missed, or the server has gone back in time. */
  hasMissed(toldCount: number, numberTop: number): boolean {
    return toldCount !== this.#heardCount || numberTop < this.numberAnswered;
  }
}
