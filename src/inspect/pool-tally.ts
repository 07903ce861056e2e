/**
 * Counts units of resources with a capacity from events, for metrics: a bounded number of
 * resources, since the name of each is an attribute.
 */

import type { CapacityEvent, DomainEvents, EventDomain, EventName } from '../api/events.ts';
import { namesIn, takesAll, unitsIn } from '../api/mode.ts';
import type { NamedSet } from '../api/sets.ts';

/** Resources of all domains that are counted; those that come later are not. */
const poolCountMax = 100;

type AnyEvent = DomainEvents[EventName];

export type PoolCount = 'capacity' | 'taken' | 'waiting';

type Report = (event: AnyEvent, resource: string, count: PoolCount, change: number) => void;

interface Pool {
  /** The event that it is counted from. */
  readonly event: AnyEvent;
  capacity: number;
  isAsserted: boolean;
  /** Sets that hold it or wait for it. */
  useCount: number;
}

/** What was counted for a set. */
interface Counted {
  readonly count: 'taken' | 'waiting';
  readonly units: ReadonlyMap<string, number>;
}

export class PoolTally {
  readonly #report: Report;
  readonly #pools = new Map<EventDomain, Map<string, Pool>>();
  readonly #counted = new Map<EventDomain, Map<number, Counted>>();
  #poolCount = 0;

  constructor(report: Report) {
    this.#report = report;
  }

  resized(event: CapacityEvent): void {
    const { resource, capacity, isAsserted } = event;
    const pool = this.#poolOf(event, resource);
    if (pool === undefined) return;
    const before = pool.capacity;
    pool.capacity = capacity;
    pool.isAsserted = isAsserted;
    if (capacity !== before) this.#report(event, resource, 'capacity', capacity - before);
  }

  waits(event: AnyEvent): void {
    this.#count(event, 'waiting');
  }

  /** It holds the set of the event, from now on. */
  holds(event: AnyEvent): void {
    this.#count(event, 'taken');
  }

  ends(event: AnyEvent): void {
    const { domain, id } = event;
    const counted = this.#counted.get(domain);
    const before = counted?.get(id);
    if (counted === undefined || before === undefined) return;
    counted.delete(id);
    if (counted.size === 0) this.#counted.delete(domain);
    for (const [resource, units] of before.units) {
      this.#report(event, resource, before.count, before.count === 'waiting' ? -1 : -units);
      this.#leave(event, resource);
    }
  }

  /** Takes the capacities back; sets have ended before. */
  stop(): void {
    for (const pools of this.#pools.values()) {
      for (const [resource, { event, capacity }] of pools) {
        if (capacity > 0) this.#report(event, resource, 'capacity', -capacity);
      }
    }
    this.#pools.clear();
  }

  #count(event: AnyEvent, count: Counted['count']): void {
    const { domain, id, set } = event;
    const units = new Map<string, number>();
    for (const resource of namesIn(set)) {
      const taken = this.#unitsOf(event, resource);
      if (taken > 0) units.set(resource, taken);
    }
    // First those that it has from now on, so that no asserted capacity ends in between.
    for (const [resource, taken] of units) {
      const pool = this.#poolOf(event, resource);
      if (pool !== undefined) pool.useCount++;
      this.#report(event, resource, count, count === 'waiting' ? 1 : taken);
    }
    this.ends(event);
    if (units.size === 0) return;
    const counted = this.#counted.get(domain) ?? new Map<number, Counted>();
    this.#counted.set(domain, counted);
    counted.set(id, { count, units });
  }

  /** The units of a set, if the resource has a capacity that is known, or it takes some. */
  #unitsOf(event: AnyEvent, resource: string): number {
    const { domain, set } = event;
    const units = unitsIn(set, resource);
    if (!isCounted(set, resource) && !this.#pools.get(domain)?.has(resource)) return 0;
    const pool = this.#poolOf(event, resource);
    if (pool === undefined) return 0;
    return takesAll(units) ? Math.max(1, pool.capacity) : units;
  }

  #poolOf(event: AnyEvent, resource: string): Pool | undefined {
    const { domain } = event;
    // It has units of the grant around it, which are counted there.
    if (domain.isInner) return undefined;
    let pools = this.#pools.get(domain);
    const known = pools?.get(resource);
    if (known !== undefined || this.#poolCount >= poolCountMax) return known;
    pools ??= new Map();
    this.#pools.set(domain, pools);
    const pool = { event, capacity: 0, isAsserted: false, useCount: 0 };
    pools.set(resource, pool);
    this.#poolCount++;
    return pool;
  }

  /** An asserted capacity, and one that is not known, ends with its last set. */
  #leave(event: AnyEvent, resource: string): void {
    const pools = this.#pools.get(event.domain);
    const pool = pools?.get(resource);
    if (pools === undefined || pool === undefined) return;
    pool.useCount--;
    if (pool.useCount > 0 || (pool.capacity > 0 && !pool.isAsserted)) return;
    if (pool.capacity > 0) this.#report(event, resource, 'capacity', -pool.capacity);
    pools.delete(resource);
    this.#poolCount--;
    if (pools.size === 0) this.#pools.delete(event.domain);
  }
}

function isCounted({ units }: NamedSet, resource: string): boolean {
  return units !== undefined && Object.hasOwn(units, resource);
}
