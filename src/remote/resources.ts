/** A client's handles and prepared sets, and the sets and parts as they are sent to the backend. */

import type { UnitsLeft } from '../api/grant.ts';
import { type Part, partsOf } from '../api/mode.ts';
import {
  listsOf,
  type OrderedRefs,
  type ReadSet,
  RequestedRefs,
  readRefs,
  readSpec,
  readUnitsLeft,
} from '../api/read-set.ts';
import { foreignSet } from '../api/refusals.ts';
import { checkName, type PreparedSet, type ResourceRef, type SetSpec } from '../api/sets.ts';
import { ResourceHandle } from '../session/handle.ts';
import { OwnPreparedSet } from '../session/prepared-set.ts';

/** A name; or, of a resource without a name, a number that this client has chosen. */
export type RemoteRef = string | number;

/** For people. */
export function nameOf(ref: RemoteRef): string {
  return typeof ref === 'number' ? `#${ref}` : ref;
}

/** Each resource once. */
export type RemoteSet = readonly Part<RemoteRef>[];

/** Rejects with ResourceBusyError if the resource is held or waited for. */
type Close = (resource: RemoteRef) => Promise<void>;

class RemotePreparedSet extends OwnPreparedSet<RemoteResources, RemoteRef> {
  readonly parts: RemoteSet = partsIn(this, (_, index) => this.resources[index] as RemoteRef);
}

/** `find`: what a reference stands for. */
function partsIn(
  { refs, count, exclusiveCount, unitsCount, counts, asserted }: OrderedRefs,
  find: (ref: ResourceRef, index: number) => RemoteRef,
): RemoteSet {
  const found = refs.slice(0, count).map(find);
  const unitsEnd = exclusiveCount + unitsCount;
  const units = found.slice(exclusiveCount, unitsEnd).map((resource, at): Part<RemoteRef> => {
    const index = exclusiveCount + at;
    return { resource, units: counts[index] as number, of: asserted[index] as number };
  });
  return partsOf(found.slice(0, exclusiveCount), found.slice(unitsEnd), units);
}

export class RemoteResources {
  readonly #handles = new Map<string, ResourceHandle>();
  readonly #close: Close;
  /** Handles that sets of this domain may name. */
  readonly accept = ResourceHandle.acceptOf(this);
  #numberLast = 0;

  constructor(close: Close) {
    this.#close = close;
  }

  handle(name: string | undefined): ResourceHandle {
    if (name === undefined) return new ResourceHandle(this, undefined, ++this.#numberLast);
    checkName(name);
    const handle = this.#handles.get(name) ?? new ResourceHandle(this, name, 0);
    this.#handles.set(name, handle);
    return handle;
  }

  /** Also of a handle without a name that has never been sent. */
  async close(handle: ResourceHandle): Promise<void> {
    if (!handle.isOpen) return;
    await this.#close(this.#find(handle));
    handle.isOpen = false;
    if (handle.name !== undefined) this.#handles.delete(handle.name);
  }

  prepare(spec: SetSpec): PreparedSet {
    const requested = this.#readSpec(spec);
    if (requested instanceof RemotePreparedSet) return requested;
    return new RemotePreparedSet(this, requested, (ref) => this.#open(ref));
  }

  /** A set as it is sent to the backend. */
  read(spec: SetSpec | PreparedSet): RemoteSet {
    const requested = this.#readSpec(spec);
    if (requested instanceof RemotePreparedSet) {
      // Its names were checked when it was prepared.
      for (const ref of requested.refs) checkIfHandle(ref);
      return requested.parts;
    }
    return partsIn(requested, (ref) => this.#open(ref));
  }

  /** A set as its caller named it, read. */
  listsOf(spec: SetSpec | PreparedSet): ReadSet {
    return listsOf(this.#readSpec(spec));
  }

  /** The units that a downgrade leaves, as they are sent to the backend. */
  unitsLeftOf(part: UnitsLeft): ReadonlyMap<RemoteRef, number> {
    const requested = new RequestedRefs();
    const left = readUnitsLeft(part, requested, this.accept);
    return new Map(
      left.map((units, index) => {
        return [this.#find(requested.refs[index] as ResourceRef), units];
      }),
    );
  }

  /** A resource whose capacity is declared or read. */
  refOf(ref: ResourceRef): RemoteRef {
    const [resource] = this.refsOf(ref);
    checkIfHandle(ref);
    return resource as RemoteRef;
  }

  /** A part of a grant as it is sent to the backend. */
  refsOf(part: ResourceRef | readonly ResourceRef[]): readonly RemoteRef[] {
    const requested = new RequestedRefs();
    readRefs(part, requested, this.accept);
    return requested.refs.map((ref) => this.#find(ref));
  }

  /**
   * Reads a set once and completely; the caller's objects are not read again.
   *
   * @throws InvalidSetError, LimitError
   */
  #readSpec(spec: SetSpec | PreparedSet): RequestedRefs | RemotePreparedSet {
    if (spec instanceof RemotePreparedSet && spec.self === spec) {
      if (spec.owner !== this) throw foreignSet();
      return spec;
    }
    const requested = new RequestedRefs();
    readSpec(spec, requested, this.accept);
    return requested;
  }

  #open(ref: ResourceRef): RemoteRef {
    checkIfHandle(ref);
    return this.#find(ref);
  }

  /** `ref`: a name, or a handle that has been accepted. */
  #find(ref: ResourceRef): RemoteRef {
    if (typeof ref !== 'string') return ref.name ?? (ref as ResourceHandle).number;
    checkName(ref);
    return ref;
  }
}

/** A handle must be open. `ref`: a name, or a handle that has been accepted. */
function checkIfHandle(ref: ResourceRef): void {
  if (typeof ref !== 'string') (ref as ResourceHandle).checkOpen();
}
