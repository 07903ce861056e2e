/** Capacities of the resources of a local domain: declared, asserted by sets, and checked. */

import { eventFlags } from '../api/events.ts';
import type { OrderedRefs } from '../api/read-set.ts';
import {
  capacityReduced,
  noCapacity,
  otherCapacity,
  overCapacity,
  unitsInUse,
} from '../api/refusals.ts';
import { isContinued, type ReadCapacity } from '../api/units.ts';
import type { Core } from '../core/index.ts';
import type { CoreReader } from '../report/core-reader.ts';
import type { Owners } from './owners.ts';
import { memoryIsFull, type Queues, type ResolvedSet } from './resources.ts';

/** What capacities need of the operations that change them. */
interface CapacitySource {
  readonly core: Core;
  readonly reader: CoreReader;
  readonly events: { resized(queue: number, capacity: number, isAsserted: boolean): void };
  readonly port: { readonly owners: Owners; readonly queues: Queues };
}

/** Within an operation. */
export class Capacities {
  readonly #source: CapacitySource;
  /** While a capacity is being reduced: why waiting sets are refused. */
  #reduced: { readonly name: string; readonly capacity: number } | undefined;
  #reason: Error | undefined;

  constructor(source: CapacitySource) {
    this.#source = source;
  }

  /**
   * Why a waiting set is refused, as a capacity was reduced: one error for all sets of a resize, as
   * to make one takes longer than all else that is done for a set.
   */
  get reason(): Error {
    if (this.#reduced === undefined) return capacityReduced();
    this.#reason ??= capacityReduced(this.#reduced);
    return this.#reason;
  }

  /** Declares a capacity. What it refuses and grants is reported by `report`. */
  declare(queue: number, { count, names }: ReadCapacity, report: () => void): void {
    const { core, reader, port } = this.#source;
    const before = port.queues.unitNamesOf(queue);
    const isUsed = core.isUsed(queue) && core.isMetered(queue);
    if (isUsed && !isContinued(before, names)) throw unitsInUse(reader.nameOf(queue));
    port.queues.reserveCapacity(queue, names);
    if (!core.setCapacity(queue, count)) throw memoryIsFull(port.queues);
    port.queues.setUnitNames(queue, names);
    this.#reduced = { name: reader.nameOf(queue), capacity: count };
    report();
    this.#reduced = undefined;
    this.#reason = undefined;
  }

  /**
   * Checks the units of a set, declares the capacities that it asserts, and returns its user data.
   *
   * @throws CapacityError, LimitError: then nothing has changed.
   */
  prepare(
    resolved: ResolvedSet,
    label: string | undefined,
    sessionLabel: string | undefined,
    holdingCount: number,
  ): number {
    const asserts = this.check(resolved);
    const { port } = this.#source;
    const userData = port.owners.userDataFor(resolved, label, sessionLabel, holdingCount);
    if (!asserts || this.#assertAll(resolved)) return userData;
    port.owners.freeUserData(userData);
    this.dropAsserted(resolved);
    throw memoryIsFull(port.queues);
  }

  /** False if memory is at its end. */
  #assertAll({ queues, exclusiveCount, unitsCount, asserted }: ResolvedSet): boolean {
    const { core } = this.#source;
    for (let index = exclusiveCount; index < exclusiveCount + unitsCount; index++) {
      const of = asserted[index] as number;
      const queue = queues[index] as number;
      if (of === 0 || core.isMetered(queue)) continue;
      if (!core.assertCapacity(queue, of)) return false;
      if (eventFlags.hasSubscribers) this.#source.events.resized(queue, of, true);
    }
    return true;
  }

  /** Returns whether the set asserts a capacity that is not in force. @throws CapacityError */
  check({ queues, exclusiveCount, unitsCount, counts, asserted }: ResolvedSet): boolean {
    const { core, reader } = this.#source;
    let asserts = false;
    for (let index = exclusiveCount; index < exclusiveCount + unitsCount; index++) {
      const queue = queues[index] as number;
      const units = counts[index] as number;
      const of = asserted[index] as number;
      const inForce = core.isMetered(queue) ? core.capacity(queue) : 0;
      if (of === 0 && inForce === 0) throw noCapacity(reader.nameOf(queue));
      if (of !== 0 && of !== inForce && (inForce !== 0 || core.isUsed(queue))) {
        throw otherCapacity(reader.nameOf(queue), of, inForce);
      }
      const capacity = inForce === 0 ? of : inForce;
      if (units > capacity) throw overCapacity(reader.nameOf(queue), units, capacity);
      if (inForce === 0) asserts = true;
    }
    return asserts;
  }

  /** Whether {@link check} lets a set pass that takes units of these queues, as declared. */
  fitPair(
    { exclusiveCount, unitsCount, counts, asserted }: OrderedRefs,
    { first, second }: { readonly first: number; readonly second: number },
  ): boolean {
    const { core } = this.#source;
    for (let index = exclusiveCount; index < exclusiveCount + unitsCount; index++) {
      const queue = index === 0 ? first : second;
      const of = asserted[index] as number;
      const capacity = core.isDeclared(queue) ? core.capacity(queue) : 0;
      if ((counts[index] as number) > capacity || (of !== 0 && of !== capacity)) return false;
    }
    return true;
  }

  /** A set that has asserted capacities did not arrive after all. */
  dropAsserted({ queues, exclusiveCount, unitsCount, asserted }: ResolvedSet): void {
    for (let index = exclusiveCount; index < exclusiveCount + unitsCount; index++) {
      if (asserted[index] !== 0) this.#source.core.dropAsserted(queues[index] as number);
    }
  }
}
