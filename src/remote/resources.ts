/** A client's handles and prepared sets, and what its host is told of the sets that it names. */

import type { InvalidSetError } from '../api/errors.ts';
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

/** A name; or the number, of this client's choice, of a resource that has none. */
export type RemoteRef = string | number;

/** A resource may be named more than once, and in both modes: then exclusive wins. */
export interface RemoteSet {
  readonly exclusive?: readonly RemoteRef[];
  readonly shared?: readonly RemoteRef[];
}

/** Asks the host whether a resource is used; rejects with ResourceBusyError if it is. */
type Close = (resource: RemoteRef) => Promise<void>;

export class RemoteResource implements Resource {
  readonly name: string | undefined;
  readonly #owner: RemoteResources;
  /** What the host is told. */
  readonly ref: RemoteRef;
  isOpen = true;

  constructor(owner: RemoteResources, name: string | undefined, ref: RemoteRef) {
    this.#owner = owner;
    this.name = name;
    this.ref = ref;
  }

  /** Whose handle a value is; undefined for any other value, also for a proxy of a handle. */
  static ownerOf(value: unknown): RemoteResources | undefined {
    if (typeof value !== 'object' || value === null || !(#owner in value)) return undefined;
    return value.#owner;
  }

  async close(): Promise<void> {
    if (this.isOpen) await this.#owner.close(this);
  }

  /** For people. */
  toString(): string {
    return shownName(this);
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
    this.set = { exclusive: [...exclusive.keys()], shared: [...shared.keys()] };
    const refs = [...this.exclusive, ...this.shared];
    this.handles = refs.filter((ref) => ref instanceof RemoteResource);
  }

  /** Whose set a value is; undefined for any other value, also for a proxy of one. */
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

  /** A handle without a name that has never been sent need not be asked for: but it is. */
  async close(handle: RemoteResource): Promise<void> {
    await this.#close(handle.ref);
    handle.isOpen = false;
    if (handle.name !== undefined) this.#handles.delete(handle.name);
  }

  prepare(spec: SetSpec): PreparedSet {
    const requested = this.#read(spec);
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

  /** What the host is told of a set. */
  setOf(spec: SetSpec | PreparedSet): RemoteSet {
    const requested = this.#read(spec);
    if (requested instanceof RemotePreparedSet) {
      for (const handle of requested.handles) if (!handle.isOpen) throw closed(handle);
      return requested.set;
    }
    const exclusive = requested.exclusive.map((ref) => this.#open(ref));
    const shared = requested.shared.map((ref) => this.#open(ref));
    return {
      ...(exclusive.length > 0 && { exclusive }),
      ...(shared.length > 0 && { shared }),
    };
  }

  /** What the host is told of a part of what is held. */
  refsOf(part: ResourceRef | readonly ResourceRef[]): readonly RemoteRef[] {
    const requested = new RequestedRefs();
    readRefs(part, requested, this.#acceptHandle);
    return requested.refs.map((ref) => this.#find(ref));
  }

  /**
   * Reads a set once and completely; from then on nothing of the caller's is looked at.
   *
   * @throws InvalidSetError, LimitError
   */
  #read(spec: SetSpec | PreparedSet): RequestedRefs | RemotePreparedSet {
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

  /** Of a name, or of a handle that has been accepted. */
  #find(ref: ResourceRef): RemoteRef {
    if (typeof ref !== 'string') return (ref as RemoteResource).ref;
    checkName(ref);
    return ref;
  }
}

/** Not by its own toString(), which a caller may have replaced. */
function shownName({ name, ref }: RemoteResource): string {
  return name ?? `#${ref}`;
}

function closed(handle: RemoteResource): InvalidSetError {
  return closedResource(shownName(handle));
}
