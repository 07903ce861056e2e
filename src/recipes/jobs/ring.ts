/**
 * The jobs in a ring, in the order in which they came in. O(1) a step, and no memory of its own.
 */

import type { QueueJob } from './job.ts';

export class Ring {
  #first: QueueJob | undefined = undefined;
  #last: QueueJob | undefined = undefined;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(job: QueueJob): void {
    job.before = this.#last;
    if (this.#last === undefined) this.#first = job;
    else this.#last.behind = job;
    this.#last = job;
    this.#count++;
  }

  /** It must be in. */
  delete(job: QueueJob): void {
    const { before, behind } = job;
    if (before === undefined) this.#first = behind;
    else before.behind = behind;
    if (behind === undefined) this.#last = before;
    else behind.before = before;
    job.before = undefined;
    job.behind = undefined;
    this.#count--;
  }

  jobs(): readonly QueueJob[] {
    const jobs: QueueJob[] = [];
    for (let job = this.#first; job !== undefined; job = job.behind) jobs.push(job);
    return jobs;
  }
}
