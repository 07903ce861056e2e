/**
 * Slots: who may run at one time. First ready, first served.
 *
 * A parent lends its slot to one of its sub-jobs at a time, as it waits for them itself; so with
 * one slot in all a job can still have sub-jobs, however deep.
 */

import type { QueueJob } from './job.ts';
import { Line } from './line.ts';

export class Slots {
  #freeCount: number;
  readonly #waiting = new Line<QueueJob>();
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
    const line = slot === 'parent' ? family.waiting : this.#waiting;
    // A sub-job stands in both lines, and may have got a slot by the other one.
    const next = line.shiftWhere((each) => each.state === 'ready' && each.slot === undefined);
    if (next !== undefined && slot !== undefined) this.#give(next, slot);
    else if (slot === 'parent') family.isSlotLent = false;
    else this.#freeCount++;
  }

  #give(job: QueueJob, slot: 'queue' | 'parent'): void {
    job.slot = slot;
    this.#onSlot(job);
  }
}
