/** A session of a server's domain, in a file of its own: other bundles do without it. */

import { type Ended, type EndsTogether, endsTogether } from '../api/ending.ts';
import type { SyncGrant } from '../api/grant.ts';
import type { ResourceRef, SetSpec } from '../api/sets.ts';
import { claimNumbers, type NumberRange, numbersIn, restoreCapacity } from '../core/index.ts';
import type { SessionOptions } from '../session/session-tree.ts';
import { LocalGrant } from './grant.ts';
import { CallbackRequest } from './request.ts';
import type { LocalRequests } from './requests.ts';
import { type LocalResource, memoryIsFull, type RequestedSet } from './resources.ts';
import type { LocalScope } from './scope.ts';
import { LocalSession } from './session.ts';

/** Units that a grant has of a resource, or had in the domain of a server that has died. */
export interface HeldUnits {
  /** A name; or a handle of a resource without one. */
  readonly resource: ResourceRef;
  /** Their numbers, ascending. */
  readonly ranges: readonly NumberRange[];
  /** The number of units that there are, at least. */
  readonly capacity: number;
  /** Whether it was declared, and not asserted by a set. */
  readonly isDeclared: boolean;
  /** Their names, if they have some. */
  readonly names?: readonly string[];
}

export class ServedSession extends LocalSession implements EndsTogether {
  readonly #resourceOf: (queue: number) => LocalResource;

  constructor(
    requests: LocalRequests,
    scope: LocalScope,
    resourceOf: (queue: number) => LocalResource,
  ) {
    super(requests, scope);
    this.#resourceOf = resourceOf;
  }

  override session(options: SessionOptions = {}): ServedSession {
    return new ServedSession(this.requests, this.scope.open(options), this.#resourceOf);
  }

  /** Whether a set holds a resource or waits for it. Changes nothing, never waits. */
  isUsed(ref: ResourceRef): boolean {
    return this.requests.resources.isUsed(ref);
  }

  /** The units that a grant has of the resources with a capacity. Changes nothing, never waits. */
  heldUnits(grant: SyncGrant): readonly HeldUnits[] {
    const held: HeldUnits[] = [];
    if (!(grant instanceof LocalGrant) || !grant.isHeld) return held;
    const { core, reader } = this.requests.operations;
    for (let link = core.firstLink(grant.set); link !== 0; link = core.nextLink(link)) {
      const queue = core.resourceOf(link);
      if (!core.isMetered(queue)) continue;
      const ranges = core.ranges(link);
      if (ranges.length === 0) continue;
      const resource = this.#resourceOf(queue);
      const names = namesIn(reader.unitNamesOf(queue), ranges);
      held.push({
        resource: resource.name ?? resource,
        ranges,
        capacity: core.capacity(queue),
        isDeclared: core.isDeclared(queue),
        ...(names !== undefined && { names }),
      });
    }
    return held;
  }

  /**
   * Grants a set with the very units that it had in the domain of a server that has died; no set
   * waits in this one yet. Null if the set is not free, or a unit is not.
   *
   * @throws LimitError, DomainClosedError. Then, as with null, it holds nothing.
   */
  claim(set: SetSpec, units: readonly HeldUnits[], label: string | undefined): SyncGrant | null {
    const { operations, resources } = this.requests;
    const { core } = operations;
    this.scope.checkOpen();
    const requested = resources.read(set);
    const restored = new Map<number, HeldUnits>();
    operations.begin();
    let grant: LocalGrant | null = null;
    try {
      const resolved = resources.resolve(requested);
      const queues = queuesByRef(requested, resolved.queues);
      for (const each of units) {
        const queue = queues.get(each.resource);
        if (queue === undefined) continue;
        restored.set(queue, each);
        const isRestored = restoreCapacity(core, queue, each.capacity, each.isDeclared);
        if (!isRestored) throw memoryIsFull(operations.port.queues);
      }
      const arrived = operations.arrive(resolved, 0, this.scope, label, 0);
      if (typeof arrived === 'number') operations.drop(arrived, 'denied');
      else if (this.#claimNumbers(arrived, restored)) grant = arrived;
      else arrived.release();
    } catch (error) {
      for (const queue of restored.keys()) core.dropAsserted(queue);
      throw operations.abort(error);
    }
    if (grant === null) for (const queue of restored.keys()) core.dropAsserted(queue);
    operations.commit();
    return grant;
  }

  #claimNumbers({ set }: LocalGrant, restored: ReadonlyMap<number, HeldUnits>): boolean {
    const { core, port } = this.requests.operations;
    for (let link = core.firstLink(set); link !== 0; link = core.nextLink(link)) {
      const queue = core.resourceOf(link);
      const units = restored.get(queue);
      if (units === undefined) continue;
      if (!core.isExclusive(link) && !claimNumbers(core, link, units.ranges)) return false;
      if (units.names === undefined || !core.isDeclared(queue)) continue;
      // With gaps: the list as a whole is not known before it is declared again.
      const names = (port.queues.unitNamesOf(queue) ?? []) as string[];
      let at = 0;
      for (const number of numbersIn(units.ranges)) names[number] = units.names[at++] as string;
      port.queues.setUnitNames(queue, names);
    }
    return true;
  }

  [endsTogether](ended: readonly Ended[], died: boolean): void {
    const { backend } = this.scope;
    backend.begin();
    const own: (CallbackRequest | LocalGrant)[] = [];
    for (const each of ended) {
      if (each instanceof LocalGrant) own.push(each);
      if (!(each instanceof CallbackRequest)) continue;
      const object = each.set === 0 ? each.takeDue() : each;
      if (object !== undefined) own.push(object);
    }
    backend.endings.endUnwanted(own, died);
    backend.commit();
  }
}

function queuesByRef(
  { refs, count }: RequestedSet,
  queues: readonly number[],
): ReadonlyMap<ResourceRef, number> {
  const byRef = new Map<ResourceRef, number>();
  for (let index = 0; index < count; index++) {
    byRef.set(refs[index] as ResourceRef, queues[index] as number);
  }
  return byRef;
}

/** Undefined unless each of the units has a name. */
function namesIn(
  all: readonly string[] | undefined,
  ranges: readonly NumberRange[],
): readonly string[] | undefined {
  if (all === undefined) return undefined;
  const names: string[] = [];
  for (const number of numbersIn(ranges)) {
    const name = all[number];
    if (name === undefined) return undefined;
    names.push(name);
  }
  return names;
}
