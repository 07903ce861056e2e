/** A session as the server knows it: the numbers of its calls, and of its notifications. */

export class ServerSession {
  /** `<client>.<number>`; the client's channel is named for the first part. */
  readonly id: string;
  /** Of the last call that was made. */
  numberLast = 0;
  /** Of the last call that was answered: the server has lost state if it knows a lesser one. */
  numberAnswered = 0;
  /** Id of the request, by the number of the call that requested it: pending or held. */
  readonly idOf = new Map<number, number>();
  /** Notifications received without a gap. */
  #receivedCount = 0;
  /** Ordinals of notifications that overtook others: answers and channels are not in one order. */
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

  /** False if that notification has been received before. */
  receive(ordinal: number): boolean {
    if (ordinal <= this.#receivedCount || this.#ahead.has(ordinal)) return false;
    this.#ahead.add(ordinal);
    this.#closeGap();
    return true;
  }

  /** All notifications up to this one have been received, or an audit replaces them. */
  receivedAll(count: number): void {
    this.#receivedCount = count;
    for (const ordinal of this.#ahead) if (ordinal <= count) this.#ahead.delete(ordinal);
    this.#closeGap();
  }

  #closeGap(): void {
    while (this.#ahead.delete(this.#receivedCount + 1)) this.#receivedCount++;
  }

  /** Whether a notification was missed, or the server has lost state. */
  hasMissed(notifiedCount: number, numberTop: number): boolean {
    return notifiedCount !== this.#receivedCount || numberTop < this.numberAnswered;
  }
}
