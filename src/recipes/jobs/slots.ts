/**
 * Slots: who may run at one time. First ready, first served.
 *
 * A parent lends its slot to one of its sub-jobs at a time, as it waits for them itself; so with
 * one slot in all a job can still have sub-jobs, however deep.
 */

import type { QueueJob, Slot } from './queue-job.ts';
import { WaitQueue } from './wait-queue.ts';

export class Slots {
  #freeCount: number;
  readonly #waiting = new WaitQueue<QueueJob>(waitsForSlot);
  readonly #onSlot: (job: QueueJob) => void;

  constructor(count: number, onSlot: (job: QueueJob) => void) {
    this.#freeCount = count;
    this.#onSlot = onSlot;
  }

  /** Gives a ready job a slot: now, or when its turn comes. */
  seek(job: QueueJob): void {
    const { family } = job;
    if (family.lender !== undefined && !family.isSlotLent) {
      family.isSlotLent = true;
      this.#give(job, 'parent');
    } else if (this.#freeCount > 0) {
      this.#freeCount--;
      this.#give(job, 'queue');
    } else {
      this.#waiting.push(job);
      if (family.lender !== undefined) family.waiting.push(job);
    }
  }

  /** Its job has ended. */
  free(job: QueueJob): void {
    const { slot, family } = job;
    job.slot = undefined;
    const next = slot === 'parent' ? family.waiting.shift() : this.#waiting.shift();
    if (next === undefined) {
      if (slot === 'parent') family.isSlotLent = false;
      else this.#freeCount++;
      return;
    }
    this.#give(next, slot as Slot);
    // A sub-job stands in both lines.
    if (next.family.lender === undefined) return;
    (slot === 'parent' ? this.#waiting : next.family.waiting).noteStale();
  }

  /** A job that may stand in line has ended. */
  noteStale({ family }: QueueJob): void {
    this.#waiting.noteStale();
    family.waiting.noteStale();
  }

  #give(job: QueueJob, slot: Slot): void {
    job.slot = slot;
    this.#onSlot(job);
  }
}

export function waitsForSlot({ state, slot, isEnding }: QueueJob): boolean {
  return state === 'ready' && slot === undefined && !isEnding;
}
