/**
 * Slots limit the jobs that run at the same time. First ready, first served.
 *
 * A parent delegates its slot to one of its sub-jobs at a time, as it waits for them itself; so
 * with one slot in all a job can still have sub-jobs, however deep.
 */

import { type Slot, waitsForSlot } from './job-scope.ts';
import type { QueueJob } from './queue-job.ts';
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
    const { scope } = job;
    if (scope.parent !== undefined && !scope.isSlotDelegated) {
      scope.isSlotDelegated = true;
      this.#give(job, 'parent');
    } else if (this.#freeCount > 0) {
      this.#freeCount--;
      this.#give(job, 'queue');
    } else {
      this.#waiting.push(job);
      if (scope.parent !== undefined) scope.waiting.push(job);
    }
  }

  /** Its job has ended. */
  free(job: QueueJob): void {
    const { slot, scope } = job;
    job.slot = undefined;
    const next = slot === 'parent' ? scope.waiting.shift() : this.#waiting.shift();
    if (next === undefined) {
      if (slot === 'parent') scope.isSlotDelegated = false;
      else this.#freeCount++;
      return;
    }
    this.#give(next, slot as Slot);
    // A sub-job waits in both queues.
    if (next.scope.parent === undefined) return;
    (slot === 'parent' ? this.#waiting : next.scope.waiting).countStale();
  }

  /** A job that may wait for a slot has ended. */
  countStale({ scope }: QueueJob): void {
    this.#waiting.countStale();
    scope.waiting.countStale();
  }

  #give(job: QueueJob, slot: Slot): void {
    job.slot = slot;
    this.#onSlot(job);
  }
}
