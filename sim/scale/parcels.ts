/**
 * Messages from machine to machine, each for itself or collected: then what one machine has to say
 * to another within a while goes as one parcel, at the end of that while.
 *
 * The first message of a parcel costs a message, the others an item each, at both ends. All of a
 * parcel comes in at one moment. Machines begin their whiles at moments of their own.
 */

import type { SeededRandom } from '../random.ts';
import type { Network } from './machinery.ts';

export class Parcels {
  readonly #network: Network;
  readonly #collectMs: number;
  readonly #machineCount: number;
  /** By machine: when its whiles begin, within the first one. */
  readonly #phaseMs: readonly number[];
  /** By sender and receiver: of the last parcel, when it leaves, and when it comes in. */
  readonly #leavesMs: Float64Array;
  readonly #comesInMs: Float64Array;
  /** By sender and receiver: when the last one has come in. */
  readonly #cameInMs: Float64Array;

  /** A `collectMs` of 0: every message is a parcel. */
  constructor(machineCount: number, collectMs: number, network: Network, random: SeededRandom) {
    this.#network = network;
    this.#collectMs = collectMs;
    this.#machineCount = machineCount;
    this.#phaseMs = Array.from({ length: machineCount }, () => random.real(0, collectMs));
    const pairCount = machineCount * machineCount;
    this.#leavesMs = new Float64Array(pairCount).fill(-1);
    this.#comesInMs = new Float64Array(pairCount);
    this.#cameInMs = new Float64Array(pairCount).fill(-1);
  }

  /** When what a machine has ready at that moment leaves. */
  leavesMs(sender: number, readyMs: number): number {
    if (this.#collectMs === 0) return readyMs;
    const phaseMs = this.#phaseMs[sender] as number;
    return Math.ceil((readyMs - phaseMs) / this.#collectMs) * this.#collectMs + phaseMs;
  }

  /** Whether a message that leaves then is the first of its parcel. */
  isFirst(sender: number, receiver: number, leavesMs: number): boolean {
    const pair = sender * this.#machineCount + receiver;
    return this.#collectMs === 0 || this.#leavesMs[pair] !== leavesMs;
  }

  /** The first message of a parcel that leaves then, if by then its sender is done with it. */
  begin(sender: number, receiver: number, leavesMs: number, doneMs: number): void {
    const pair = sender * this.#machineCount + receiver;
    this.#leavesMs[pair] = leavesMs;
    this.#comesInMs[pair] = Math.max(leavesMs, doneMs) + this.#network.delayMs();
  }

  /** When the parcel comes in that was begun last. */
  comesInMs(sender: number, receiver: number): number {
    return this.#comesInMs[sender * this.#machineCount + receiver] as number;
  }

  /** A message comes in now: whether it is the first of its parcel that does. */
  comesIn(sender: number, receiver: number, nowMs: number): boolean {
    const pair = sender * this.#machineCount + receiver;
    const isFirst = this.#collectMs === 0 || this.#cameInMs[pair] !== nowMs;
    this.#cameInMs[pair] = nowMs;
    return isFirst;
  }
}
