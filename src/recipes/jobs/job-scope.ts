/**
 * Jobs that share a ring: the jobs of the queue itself, or the sub-jobs of one job.
 *
 * The ring holds `capacity` jobs that have not ended; a job that finds the ring full waits in the
 * backlog. Each parent's sub-jobs have a ring of their own: in the queue's ring they could wait for
 * room that only the end of their parent would make.
 *
 * What a parent has declared is delegated to its sub-jobs under names of the scope's own, in the
 * same domain: so sub-jobs wait for each other by the one rule, and for no other caller. Where it
 * has declared units, each sub-job asserts their number as the capacity of the name.
 */

import type { Domain } from '../../api/domain.ts';
import { type Grant, isLost } from '../../api/grant.ts';
import type { ResourceRef, SetSpec } from '../../api/sets.ts';
import { takenOf, type Unit, type UnitCount } from '../../api/units.ts';
import { type Linked, LinkedList } from '../../runtime/linked-list.ts';
import type { Job, JobSpec, JobState } from './job.ts';
import { hasResources, type JobSet, keyOf, listOf } from './spec.ts';
import { WaitQueue } from './wait-queue.ts';

const delegatedNameLengthMax = 100;

/** The request for a job's set. */
export interface SetRequest {
  readonly set: SetSpec;
  /** What the job's ancestors keep while it waits, unless its whole set is delegated. */
  readonly holding: readonly Grant[] | undefined;
}

/** Owner of the slot that a job runs in. */
export type Slot = 'queue' | 'parent';

/** A job, as far as its scope knows it. */
interface ScopedJob<J extends ScopedJob<J>> extends Linked<J> {
  readonly id: number;
  readonly spec: JobSet;
  readonly scope: JobScope<J>;
  readonly state: JobState;
  readonly held: Grant | undefined;
  readonly units: Readonly<Record<string, readonly Unit[]>>;
  readonly slot: Slot | undefined;
  /** Its set is being released; nothing else happens to it but its end. */
  readonly isEnding: boolean;
}

/** What a job calls its queue for. */
export interface ScopeOwner<J> {
  cancel(job: J, reason: unknown): boolean;
  submitTo<R>(parent: J, spec: JobSpec<R>): Job<R>;
}

export class JobScope<J extends ScopedJob<J>> {
  readonly owner: ScopeOwner<J>;
  /** The job whose sub-jobs these are; undefined for the jobs of the queue itself. */
  readonly parent: J | undefined;
  /** The nearest ancestor that declared resources: those between have no grant to lose. */
  readonly holder: J | undefined;
  /** Jobs that have not ended, without the backlog. */
  readonly ring = new LinkedList<J>();
  /** Jobs that found the ring full. */
  readonly backlog = new WaitQueue<J>(({ state, isEnding }) => state === 'submitted' && !isEnding);
  /** Jobs of the backlog that have not ended. */
  backlogCount = 0;
  /** Sub-jobs that wait for a slot, and could have the parent's. */
  readonly waiting = new WaitQueue<J>(waitsForSlot);
  isSlotDelegated = false;
  /** Jobs of the backlog are being enqueued at this moment. */
  isAdmitting = false;
  /** A sub-job did not succeed: resources delegated to it may have the recovered flag. */
  hasFailedJob = false;
  readonly #prefix: string;
  #writable: ReadonlySet<ResourceRef> | undefined;
  #readable: ReadonlySet<ResourceRef> | undefined;
  /** The units of the parent, by resource, that are not writable as a whole. */
  #metered: ReadonlyMap<ResourceRef, number> | undefined;
  /** Names of delegated resources in the domain, and the names that users know them by. */
  readonly #delegated = new Map<ResourceRef, string>();
  readonly #declaredNames = new Map<string, string>();

  constructor(owner: ScopeOwner<J>, queueName: string, parent?: J) {
    this.owner = owner;
    this.parent = parent;
    const isHolder = parent === undefined || hasResources(parent.spec);
    this.holder = isHolder ? parent : parent.scope.holder;
    this.#prefix = `${queueName}, delegated by job ${parent?.id}`;
  }

  get isEmpty(): boolean {
    return this.ring.size === 0 && this.backlogCount === 0;
  }

  /** The request that gets a job its set. */
  requestFor({ spec: { reads, writes, units } }: J): SetRequest {
    const { parent } = this;
    if (parent === undefined) {
      const set = { exclusive: writes, shared: reads };
      return { set: units === undefined ? set : { ...set, units }, holding: undefined };
    }
    this.#writable ??= new Set(listOf(parent.spec.writes).map(keyOf));
    this.#readable ??= new Set(listOf(parent.spec.reads).map(keyOf));
    this.#metered ??= this.#unitsOf(parent);
    const [writable, readable, metered] = [this.#writable, this.#readable, this.#metered];
    let isAllDelegated = true;
    const taken = new Map<ResourceRef, UnitCount>();
    const keep = (ref: ResourceRef): ResourceRef => {
      isAllDelegated = false;
      return ref;
    };
    const exclusive = listOf(writes).map((ref) => {
      return writable.has(keyOf(ref)) ? this.#delegate(ref) : keep(ref);
    });
    for (const [ref, count] of units ?? []) {
      const [take, of] = [takenOf(count), metered.get(keyOf(ref)) ?? 0];
      const isDelegated = take <= of;
      const key = isDelegated ? this.#delegate(ref) : keep(ref);
      // Of a name and its handle the greater number is first.
      if (!taken.has(key)) taken.set(key, isDelegated ? { take, of } : count);
    }
    const shared: ResourceRef[] = [];
    for (const ref of listOf(reads)) {
      const key = keyOf(ref);
      const of = metered.get(key);
      if (of !== undefined) {
        const name = this.#delegate(ref);
        if (!taken.has(name)) taken.set(name, { take: 1, of });
      } else shared.push(writable.has(key) || readable.has(key) ? this.#delegate(ref) : keep(ref));
    }
    const set = { exclusive, shared };
    return {
      set: taken.size === 0 ? set : { ...set, units: taken },
      holding: isAllDelegated ? undefined : this.#ancestorGrants(),
    };
  }

  #unitsOf({ spec }: J): ReadonlyMap<ResourceRef, number> {
    const metered = new Map<ResourceRef, number>();
    for (const [ref, count] of spec.units ?? []) {
      const key = keyOf(ref);
      if (!this.#writable?.has(key) && !metered.has(key)) metered.set(key, takenOf(count));
    }
    return metered;
  }

  /** The units of a sub-job: of a delegated resource those of the parent's, by number. */
  delegatedUnits(
    units: Readonly<Record<string, readonly Unit[]>>,
  ): Readonly<Record<string, readonly Unit[]>> {
    const ofParent = new Map(Object.entries(this.parent?.units ?? {}));
    const entries = Object.entries(units).map(([name, own]): [string, readonly Unit[]] => {
      const declared = this.#declaredNames.get(name);
      if (declared === undefined) return [name, own];
      const delegated = ofParent.get(declared);
      if (delegated === undefined) return [declared, own];
      return [declared, own.flatMap((at) => delegated[at as number] ?? [])];
    });
    return Object.fromEntries(entries);
  }

  /** The name that the parent declared, for the name under which it was delegated. */
  nameOf(name: string): string {
    return this.#declaredNames.get(name) ?? name;
  }

  /** The grant of an ancestor, or of the job itself, that was lost: why its work is void. */
  lossOf(job: J): { readonly reason: unknown } | undefined {
    for (let at: J | undefined = job; at !== undefined; at = at.scope.holder) {
      const { held } = at;
      if (held !== undefined && isLost(held)) return { reason: held.signal.reason };
    }
    return undefined;
  }

  /** All sub-jobs have ended: clears the recovered flags of names that are not used again. */
  close(domain: Domain): void {
    if (!this.hasFailedJob) return;
    try {
      const names = [...this.#declaredNames.keys()];
      domain.enqueue({ exclusive: names }, (grant) => void grant.release(), { delivery: 'direct' });
    } catch {
      // The domain is closed, and its flags are gone with it.
    }
  }

  #delegate(ref: ResourceRef): string {
    const key = keyOf(ref);
    let name = this.#delegated.get(key);
    if (name === undefined) {
      const number = this.#delegated.size + 1;
      const declared = typeof key === 'string' ? key : `#${number} without a name`;
      name = `${this.#prefix}, ${number}: ${declared.slice(0, delegatedNameLengthMax)}`;
      this.#delegated.set(key, name);
      this.#declaredNames.set(name, declared);
    }
    return name;
  }

  #ancestorGrants(): readonly Grant[] {
    const grants: Grant[] = [];
    for (let job = this.parent; job !== undefined; job = job.scope.parent) {
      if (job.held !== undefined) grants.push(job.held);
    }
    return grants;
  }
}

export function waitsForSlot({
  state,
  slot,
  isEnding,
}: Pick<ScopedJob<never>, 'state' | 'slot' | 'isEnding'>): boolean {
  return state === 'ready' && slot === undefined && !isEnding;
}
