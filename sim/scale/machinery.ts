/**
 * What lies between the parts: the network, the disks of the log, and the time that servers take.
 *
 * A server is a queue: it begins with a message when it is done with those that came before. As
 * what it does to its state depends only on those, the state changes when the message comes, and
 * only what it sends waits until it is done. So a message costs one event, not two.
 */

import type { SeededRandom } from '../random.ts';
import type { CostOptions, LogOptions, NetworkOptions } from './options.ts';

export class Network {
  readonly #random: SeededRandom;
  readonly #options: NetworkOptions;

  constructor(random: SeededRandom, options: NetworkOptions) {
    this.#random = random;
    this.#options = options;
  }

  /** How long one message takes, one way. */
  delayMs(): number {
    const { delayMinMs, delayMeanMs, lateOneIn, lateMs } = this.#options;
    const lateBy = lateOneIn > 0 && this.#random.below(lateOneIn) === 0 ? lateMs : 0;
    return delayMinMs + exponential(this.#random, delayMeanMs) + lateBy;
  }
}

/** What an append costs who appends: it is sent to two others that keep the log, who answer. */
export const appendMessages = 4;

/** Logs that each commit their batches in the order in which they were appended. */
export class Disks {
  readonly #random: SeededRandom;
  readonly #options: LogOptions;
  readonly #lastMs: Float64Array;

  constructor(random: SeededRandom, options: LogOptions, logCount: number) {
    this.#random = random;
    this.#options = options;
    this.#lastMs = new Float64Array(logCount);
  }

  /** When what is appended to that log now will be there for good. */
  commitMs(log: number, atMs: number): number {
    const { commitMinMs, commitMeanMs } = this.#options;
    const ownMs = atMs + commitMinMs + exponential(this.#random, commitMeanMs);
    const lastMs = Math.max(ownMs, this.#lastMs[log] as number);
    this.#lastMs[log] = lastMs;
    return lastMs;
  }
}

export class Servers {
  readonly #costs: CostOptions;
  readonly #freeMs: Float64Array;
  readonly #busyMs: Float64Array;

  constructor(count: number, costs: CostOptions) {
    this.#costs = costs;
    this.#freeMs = new Float64Array(count);
    this.#busyMs = new Float64Array(count);
  }

  /** A server is given this to do at a moment; the result is when it is done. */
  work(server: number, atMs: number, messages: number, items: number, links: number): number {
    const { messageUs, itemUs, linkUs } = this.#costs;
    const costMs = (messages * messageUs + items * itemUs + links * linkUs) / 1000;
    const doneMs = this.freeFromMs(server, atMs) + costMs;
    this.#freeMs[server] = doneMs;
    this.#busyMs[server] = (this.#busyMs[server] as number) + costMs;
    return doneMs;
  }

  /** When a server can begin with something at that moment or later. */
  freeFromMs(server: number, atMs: number): number {
    return Math.max(atMs, this.#freeMs[server] as number);
  }

  /** It has crashed: what it had still to do is gone. */
  forget(server: number): void {
    this.#freeMs[server] = 0;
  }

  /** The time spent so far by the busiest of them, in ms. */
  get busiestMs(): number {
    return this.#busyMs.reduce((most, ms) => Math.max(most, ms), 0);
  }
}

/** Of a memoryless wait, in whatever unit the mean has. */
export function exponential(random: SeededRandom, mean: number): number {
  return mean === 0 ? 0 : -mean * Math.log(1 - random.real(0, 1));
}
