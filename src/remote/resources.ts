/** A client's handles and prepared sets, and the sets and parts as they are sent to the backend. */

import type { InvalidSetError } from '../api/errors.ts';
import { type Part, partsOf } from '../api/mode.ts';
import { closedResource, foreignSet } from '../api/refusals.ts';
import {
  checkName,
  type PreparedSet,
  RequestedRefs,
  type Resource,
  type ResourceRef,
  readRefs,
  readSpec,
  type SetSpec,
} from '../api/sets.ts';

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

export class RemoteResource implements Resource {
  readonly name: string | undefined;
  readonly #owner: RemoteResources;
  /** As it is sent to the backend. */
  readonly ref: RemoteRef;
  isOpen = true;

  constructor(owner: RemoteResources, name: string | undefined, ref: RemoteRef) {
    this.#owner = owner;
    this.name = name;
    this.ref = ref;
  }

  /** The owner of a handle; undefined for any other value, also for a proxy of a handle. */
  static ownerOf(value: unknown): RemoteResources | undefined {
    if (typeof value !== 'object' || value === null || !(#owner in value)) return undefined;
    return value.#owner;
  }

  async close(): Promise<void> {
    if (this.isOpen) await this.#owner.close(this);
  }

  /** For people. */
  toString(): string {
    return describe(this);
  }
}

class RemotePreparedSet implements PreparedSet {
  readonly #owner: RemoteResources;
  readonly exclusive: readonly ResourceRef[];
  readonly shared: readonly ResourceRef[];
  readonly set: RemoteSet;
  readonly handles: readonly RemoteResource[];

  constructor(
    owner: RemoteResources,
    exclusive: ReadonlyMap<RemoteRef, ResourceRef>,
    shared: ReadonlyMap<RemoteRef, ResourceRef>,
  ) {
    this.#owner = owner;
    this.exclusive = [...exclusive.values()];
    this.shared = [...shared.values()];
    this.set = partsOf(exclusive.keys(), shared.keys());
    const refs = [...this.exclusive, ...this.shared];
    this.handles = refs.filter((ref) => ref instanceof RemoteResource);
  }

  /** The owner of a prepared set; undefined for any other value, also for a proxy of one. */
  static ownerOf(value: object): RemoteResources | undefined {
    return #owner in value ? value.#owner : undefined;
  }
}

export class RemoteResources {
  readonly #handles = new Map<string, RemoteResource>();
  readonly #close: Close;
  #numberLast = 0;

  constructor(close: Close) {
    this.#close = close;
  }

  handle(name: string | undefined): RemoteResource {
    if (name === undefined) {
      this.#numberLast++;
      return new RemoteResource(this, undefined, this.#numberLast);
    }
    checkName(name);
    const handle = this.#handles.get(name) ?? new RemoteResource(this, name, name);
    this.#handles.set(name, handle);
    return handle;
  }

  /** Also of a handle without a name that has never been sent. */
  async close(handle: RemoteResource): Promise<void> {
    await this.#close(handle.ref);
    handle.isOpen = false;
    if (handle.name !== undefined) this.#handles.delete(handle.name);
  }

  prepare(spec: SetSpec): PreparedSet {
    const requested = this.#readSpec(spec);
    if (requested instanceof RemotePreparedSet) return requested;
    const exclusive = new Map<RemoteRef, ResourceRef>();
    const shared = new Map<RemoteRef, ResourceRef>();
    for (const ref of requested.exclusive) exclusive.set(this.#open(ref), ref);
    for (const ref of requested.shared) {
      const opened = this.#open(ref);
      if (!exclusive.has(opened)) shared.set(opened, ref);
    }
    return new RemotePreparedSet(this, exclusive, shared);
  }

  /** A set as it is sent to the backend. */
  read(spec: SetSpec | PreparedSet): RemoteSet {
    const requested = this.#readSpec(spec);
    if (requested instanceof RemotePreparedSet) {
      for (const handle of requested.handles) if (!handle.isOpen) throw closed(handle);
      return requested.set;
    }
    const open = (ref: ResourceRef): RemoteRef => this.#open(ref);
    return partsOf(requested.exclusive.map(open), requested.shared.map(open));
  }

  /** A part of a grant as it is sent to the backend. */
  refsOf(part: ResourceRef | readonly ResourceRef[]): readonly RemoteRef[] {
    const requested = new RequestedRefs();
    readRefs(part, requested, this.#acceptHandle);
    return requested.refs.map((ref) => this.#find(ref));
  }

  /**
   * Reads a set once and completely; the caller's objects are not read again.
   *
   * @throws InvalidSetError, LimitError
   */
  #readSpec(spec: SetSpec | PreparedSet): RequestedRefs | RemotePreparedSet {
    const owner = spec instanceof RemotePreparedSet ? RemotePreparedSet.ownerOf(spec) : undefined;
    if (owner === this) return spec as RemotePreparedSet;
    if (owner !== undefined) throw foreignSet();
    const requested = new RequestedRefs();
    readSpec(spec, requested, this.#acceptHandle);
    return requested;
  }

  readonly #acceptHandle = (ref: unknown): ResourceRef => {
    const owner = RemoteResource.ownerOf(ref);
    if (owner === this) return ref as RemoteResource;
    if (owner !== undefined) throw foreignSet();
    checkName(ref);
    return ref;
  };

  #open(ref: ResourceRef): RemoteRef {
    if (typeof ref !== 'string' && !(ref as RemoteResource).isOpen) {
      throw closed(ref as RemoteResource);
    }
    return this.#find(ref);
  }

  /** `ref`: a name, or a handle that has been accepted. */
  #find(ref: ResourceRef): RemoteRef {
    if (typeof ref !== 'string') return (ref as RemoteResource).ref;
    checkName(ref);
    return ref;
  }
}

/** Not by the handle's own toString(), which a caller may have replaced. */
function describe({ ref }: RemoteResource): string {
  return nameOf(ref);
}

function closed(handle: RemoteResource): InvalidSetError {
  return closedResource(describe(handle));
}
