/**
 * Jobs that share a ring: those of the queue itself, or the sub-jobs of one job.
 *
 * The ring holds `capacity` jobs that have not ended; those that find it full stand in line. Each
 * parent's sub-jobs have a ring of their own: in the queue's they could wait for a place that only
 * their parent's end would make.
 *
 * Sub-jobs get what their parent has declared under names of the family's own, in the same domain:
 * so they wait for each other by the one rule, and for nobody outside.
 */

import type { Domain } from '../../api/domain.ts';
import type { Grant } from '../../api/grant.ts';
import type { ResourceRef, SetSpec } from '../../api/sets.ts';
import { LinkedList } from '../../runtime/linked-list.ts';
import { type JobOwner, keyOf, type QueueJob } from './queue-job.ts';
import { waitsForSlot } from './slots.ts';
import { listOf } from './spec.ts';
import { WaitQueue } from './wait-queue.ts';

const lentNameLengthMax = 100;

/** What a job asks the domain for. */
export interface Request {
  readonly set: SetSpec;
  /** What its ancestors keep while it waits, if it asks for anything that is not lent. */
  readonly holding: readonly Grant[] | undefined;
}

export class Family {
  readonly owner: JobOwner;
  /** The parent, who lends; none for the jobs of the queue itself. */
  readonly lender: QueueJob | undefined;
  /** The nearest ancestor that declared resources: those between have nothing to lose. */
  readonly holder: QueueJob | undefined;
  /** Those that have not ended, but for those in line. */
  readonly ring = new LinkedList<QueueJob>();
  /** Those that found the ring full. */
  readonly line = new WaitQueue<QueueJob>(
    ({ state, isEnding }) => state === 'submitted' && !isEnding,
  );
  /** Of those in line, how many have not ended. */
  lineCount = 0;
  /** Sub-jobs that wait for a slot, and could have the parent's. */
  readonly waiting = new WaitQueue<QueueJob>(waitsForSlot);
  isSlotLent = false;
  /** Those in line are let in at this moment. */
  isAdmitting = false;
  /** A sub-job failed: what it had been lent may be marked. */
  isMarked = false;
  readonly #prefix: string;
  #writable: ReadonlySet<ResourceRef> | undefined;
  #readable: ReadonlySet<ResourceRef> | undefined;
  readonly #lent = new Map<ResourceRef, string>();
  readonly #told = new Map<string, string>();

  constructor(owner: JobOwner, queueName: string, parent?: QueueJob) {
    this.owner = owner;
    this.lender = parent;
    this.holder = parent?.hasSet === false ? parent.family.holder : parent;
    this.#prefix = `${queueName}, lent by job ${parent?.id}`;
  }

  get isEmpty(): boolean {
    return this.ring.size === 0 && this.lineCount === 0;
  }

  /** What to ask for, so that a sub-job gets its set. */
  requestFor({ reads, writes }: QueueJob): Request {
    const { lender } = this;
    if (lender === undefined) {
      return { set: { exclusive: writes, shared: reads }, holding: undefined };
    }
    this.#writable ??= new Set(listOf(lender.writes).map(keyOf));
    this.#readable ??= new Set(listOf(lender.reads).map(keyOf));
    const [writable, readable] = [this.#writable, this.#readable];
    let isAllLent = true;
    const map = (isLent: (key: ResourceRef) => boolean) => {
      return (ref: ResourceRef): ResourceRef => {
        if (isLent(keyOf(ref))) return this.#lend(ref);
        isAllLent = false;
        return ref;
      };
    };
    const asked = {
      exclusive: listOf(writes).map(map((key) => writable.has(key))),
      shared: listOf(reads).map(map((key) => writable.has(key) || readable.has(key))),
    };
    return { set: asked, holding: isAllLent ? undefined : this.#kept() };
  }

  /** The name that a resource is known by outside, if this is what it is lent as. */
  nameOf(name: string): string {
    return this.#told.get(name) ?? name;
  }

  /** All sub-jobs have ended: marks that they left go, as the names are used by nobody again. */
  close(domain: Domain): void {
    if (!this.isMarked) return;
    try {
      const names = [...this.#told.keys()];
      domain.enqueue({ exclusive: names }, (grant) => void grant.release(), { delivery: 'direct' });
    } catch {
      // The domain is closed, and its marks with it.
    }
  }

  #lend(ref: ResourceRef): string {
    const key = keyOf(ref);
    let name = this.#lent.get(key);
    if (name === undefined) {
      const told = typeof key === 'string' ? key : `#${this.#lent.size + 1} without a name`;
      const short = told.slice(0, lentNameLengthMax);
      name = `${this.#prefix}, ${this.#lent.size + 1}: ${short}`;
      this.#lent.set(key, name);
      this.#told.set(name, told);
    }
    return name;
  }

  #kept(): readonly Grant[] {
    const kept: Grant[] = [];
    for (let job = this.lender; job !== undefined; job = job.family.lender) {
      if (job.held !== undefined) kept.push(job.held);
    }
    return kept;
  }
}
