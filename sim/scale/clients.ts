/**
 * A million clients. Each thinks, requests a set, holds it once notified, releases it, thinks.
 *
 * So the load is closed: a client that waits requests nothing else, as real ones do, and the
 * domain never has more requests than clients. But as there are many, who each think long, what
 * comes does not slow down when some wait: as long as few of all wait, arrivals are as of an open
 * load, and no wait is left out of the figures because the one before it was long.
 *
 * They are numbers in typed arrays. What a client does is decided when it happens; a message that
 * it sends then is an event at its gateway, `REQUESTED` or `LET_GO`, in the order of sending.
 */

import type { SeededRandom } from '../random.ts';
import type { EventHeap } from './event-heap.ts';
import { exponential, type Network } from './machinery.ts';
import type { ScaleOptions } from './options.ts';
import { Workload } from './workload.ts';

/** A client's request comes in at its gateway. */
export const REQUESTED = 1;
/** A client receives the message that its set of that number is granted. */
export const NOTIFIED = 2;
/** At the gateway: the client has released its set of that number, or waits for it no more. */
export const LET_GO = 3;
/** A client has waited for its set of that number for as long as it cares to. */
export const GIVE_UP = 4;
/** At the gateway: no message has come from the client for a lease, so its session ends. */
export const SESSION_END = 5;
/** Kinds of events from here on are others'. */
export const OTHERS = 6;

const THINKS = 0;
const WAITS = 1;
const HOLDS = 2;
const DEAD = 3;

/** A client requested this set, of that number, and had it from one moment to another. */
export interface Section {
  readonly client: number;
  readonly number: number;
  readonly wishes: readonly number[];
  readonly requestedMs: number;
  readonly fromMs: number;
  readonly untilMs: number;
  /** It did not let go at the end, but died. */
  readonly died: boolean;
}

export type OnSection = (section: Section) => void;

export class Clients {
  readonly count: number;
  /** Of the set that each waits for, holds, or had last: each has a next number. */
  readonly numbers: Int32Array;
  /** `setSize` wishes for each client. */
  readonly sets: Int32Array;
  readonly setSize: number;
  grantedCount = 0;
  #unfinishedCount: number;
  readonly #options: ScaleOptions;
  readonly #random: SeededRandom;
  readonly #workload: Workload;
  readonly #network: Network;
  readonly #heap: EventHeap;
  readonly #onSection: OnSection | undefined;
  readonly #phases: Uint8Array;
  readonly #requestedMs: Float64Array;
  readonly #leaveMs: Float64Array;
  /** When the last message of a client comes in: the next one comes later. */
  readonly #lastMs: Float64Array;
  readonly #onWait: (client: number, waitMs: number, requestedMs: number) => void;

  constructor(
    options: ScaleOptions,
    random: SeededRandom,
    network: Network,
    heap: EventHeap,
    onWait: (client: number, waitMs: number, requestedMs: number) => void,
    onSection?: OnSection,
  ) {
    this.#options = options;
    this.#random = random;
    this.#network = network;
    this.#heap = heap;
    this.#onWait = onWait;
    this.#onSection = onSection;
    this.#workload = new Workload(random.fork(), options.workload, options.shardCount);
    this.count = options.clientCount;
    this.#unfinishedCount = this.count;
    this.setSize = options.workload.setSize;
    this.numbers = new Int32Array(this.count);
    this.sets = new Int32Array(this.count * this.setSize);
    this.#phases = new Uint8Array(this.count);
    this.#requestedMs = new Float64Array(this.count);
    this.#leaveMs = new Float64Array(this.count);
    this.#lastMs = new Float64Array(this.count);
    for (let client = 0; client < this.count; client++) this.#thinkFrom(client, 0, 0);
  }

  /** Whether every client has had as many sets as it ever wants. */
  get areFinished(): boolean {
    return this.#unfinishedCount === 0;
  }

  /** The gateway of a client: always the same one, so that its messages keep their order. */
  gatewayOf(client: number): number {
    return client % this.#options.gatewayCount;
  }

  /** {@link REQUESTED}: a client requests its next set. Returns the number of that set. */
  request(client: number): number {
    const heap = this.#heap;
    const number = (this.numbers[client] as number) + 1;
    this.numbers[client] = number;
    this.#workload.draw(this.sets, client * this.setSize);
    this.#phases[client] = WAITS;
    this.#lastMs[client] = heap.nowMs;
    const { waitMaxMs, deathOneIn, leaseMs } = this.#options.faults;
    if (waitMaxMs !== Number.POSITIVE_INFINITY) {
      const giveUpMs = Math.max(heap.nowMs, (this.#requestedMs[client] as number) + waitMaxMs);
      heap.push(giveUpMs, GIVE_UP, client, number);
    }
    if (deathOneIn > 0 && this.#random.below(2 * deathOneIn) === 0) {
      this.#phases[client] = DEAD;
      heap.push(heap.nowMs + leaseMs, SESSION_END, client, number);
    }
    return number;
  }

  /** {@link NOTIFIED}; false if the client does not wait for that set any more. */
  notify(client: number, number: number): boolean {
    if (this.#phases[client] !== WAITS || this.numbers[client] !== number) return false;
    const { nowMs } = this.#heap;
    const { deathOneIn, leaseMs } = this.#options.faults;
    const holdMs = exponential(this.#random, this.#options.workload.holdMs);
    const untilMs = nowMs + holdMs;
    this.#phases[client] = HOLDS;
    this.#leaveMs[client] = untilMs;
    this.grantedCount++;
    const requestedMs = this.#requestedMs[client] as number;
    this.#onWait(client, nowMs - requestedMs, requestedMs);
    const died = deathOneIn > 0 && this.#random.below(2 * deathOneIn) === 0;
    if (this.#onSection !== undefined) {
      const wishes = this.#wishes(client);
      this.#onSection({ client, number, wishes, requestedMs, fromMs: nowMs, untilMs, died });
    }
    if (died) {
      this.#phases[client] = DEAD;
      this.#heap.push(untilMs + leaseMs, SESSION_END, client, number);
    } else {
      this.#thinkFrom(client, untilMs, this.#letGo(client, untilMs));
    }
    return true;
  }

  /** {@link GIVE_UP}. */
  giveUp(client: number, number: number): void {
    if (this.#phases[client] !== WAITS || this.numbers[client] !== number) return;
    const { nowMs } = this.#heap;
    this.#thinkFrom(client, nowMs, this.#letGo(client, nowMs));
    this.#phases[client] = THINKS;
  }

  /** The end of a dead client's session is in the log for good: somebody begins in its place. */
  beginAgain(client: number, number: number): void {
    if (this.#phases[client] !== DEAD || this.numbers[client] !== number) return;
    this.#phases[client] = THINKS;
    this.#leaveMs[client] = this.#heap.nowMs;
    this.#thinkFrom(client, this.#heap.nowMs, this.#heap.nowMs);
  }

  /**
   * The gateway of a client has restarted: the client sends its last message again; a request, by
   * an event of that kind. A dead client sends nothing: its session ends after a whole lease.
   */
  resend(client: number, kindOfRequest: number): void {
    const { nowMs } = this.#heap;
    const number = this.numbers[client] as number;
    const phase = this.#phases[client];
    if (number === 0 || (phase === HOLDS && nowMs < (this.#leaveMs[client] as number))) return;
    if (phase === DEAD) {
      this.#heap.push(nowMs + this.#options.faults.leaseMs, SESSION_END, client, number);
    } else if (phase === WAITS) {
      this.#heap.push(this.#comesInMs(client, nowMs), kindOfRequest, client, number);
    } else {
      this.#letGo(client, nowMs);
    }
  }

  #wishes(client: number): readonly number[] {
    return [...this.sets.subarray(client * this.setSize, (client + 1) * this.setSize)];
  }

  /** The client sends its release at that moment; returns when it comes in. */
  #letGo(client: number, atMs: number): number {
    const comesInMs = this.#comesInMs(client, atMs);
    this.#heap.push(comesInMs, LET_GO, client, this.numbers[client] as number);
    return comesInMs;
  }

  #comesInMs(client: number, atMs: number): number {
    const comesInMs = Math.max(atMs + this.#network.delayMs(), this.#lastMs[client] as number);
    this.#lastMs[client] = comesInMs;
    return comesInMs;
  }

  /**
   * It thinks from then on, then sends a request, which comes in no earlier than `soonestMs`.
   */
  #thinkFrom(client: number, fromMs: number, soonestMs: number): void {
    const { thinkMs, sectionsMax } = this.#options.workload;
    if ((this.numbers[client] as number) >= sectionsMax) {
      this.#unfinishedCount--;
      return;
    }
    const requestedMs = fromMs + exponential(this.#random, thinkMs);
    this.#requestedMs[client] = requestedMs;
    this.#heap.push(
      Math.max(requestedMs + this.#network.delayMs(), soonestMs),
      REQUESTED,
      client,
      0,
    );
  }
}
