/** A client's handles and prepared sets, and what its host is told of the sets that it names. */

import {
  checkName,
  checkSetSize,
  checkSpec,
  closedResource,
  foreignSet,
  listOf,
  type PreparedSet,
  type Resource,
  type ResourceRef,
  type SetSpec,
} from '../domain/sets.ts';

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
  readonly owner: RemoteResources;
  /** What the host is told. */
  readonly ref: RemoteRef;
  isOpen = true;

  constructor(owner: RemoteResources, name: string | undefined, ref: RemoteRef) {
    this.owner = owner;
    this.name = name;
    this.ref = ref;
  }

  async close(): Promise<void> {
    if (this.isOpen) await this.owner.close(this);
  }

  /** For people. */
  toString(): string {
    return this.name ?? `#${this.ref}`;
  }
}

class RemotePreparedSet implements PreparedSet {
  readonly owner: RemoteResources;
  readonly exclusive: readonly ResourceRef[];
  readonly shared: readonly ResourceRef[];
  readonly set: RemoteSet;
  readonly handles: readonly RemoteResource[];

  constructor(
    owner: RemoteResources,
    exclusive: ReadonlyMap<RemoteRef, ResourceRef>,
    shared: ReadonlyMap<RemoteRef, ResourceRef>,
  ) {
    this.owner = owner;
    this.exclusive = [...exclusive.values()];
    this.shared = [...shared.values()];
    this.set = { exclusive: [...exclusive.keys()], shared: [...shared.keys()] };
    const refs = [...this.exclusive, ...this.shared];
    this.handles = refs.filter((ref) => ref instanceof RemoteResource);
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
    if (spec instanceof RemotePreparedSet) {
      if (spec.owner === this) return spec;
      throw foreignSet();
    }
    checkSpec(spec);
    const exclusive = new Map<RemoteRef, ResourceRef>();
    const shared = new Map<RemoteRef, ResourceRef>();
    const [exclusiveRefs, sharedRefs] = [listOf(spec.exclusive), listOf(spec.shared)];
    checkSetSize(exclusiveRefs.length + sharedRefs.length);
    for (const ref of exclusiveRefs) exclusive.set(this.#open(ref), ref);
    for (const ref of sharedRefs) {
      const opened = this.#open(ref);
      if (!exclusive.has(opened)) shared.set(opened, ref);
    }
    return new RemotePreparedSet(this, exclusive, shared);
  }

  /** What the host is told of a set. */
  setOf(spec: SetSpec | PreparedSet): RemoteSet {
    if (spec instanceof RemotePreparedSet) {
      if (spec.owner !== this) throw foreignSet();
      for (const handle of spec.handles) if (!handle.isOpen) throw closedResource(handle);
      return spec.set;
    }
    checkSpec(spec);
    const { exclusive: exclusiveRefs, shared: sharedRefs } = spec;
    const exclusive = this.#refList(exclusiveRefs);
    const shared = this.#refList(sharedRefs);
    checkSetSize((exclusive?.length ?? 0) + (shared?.length ?? 0));
    return {
      ...(exclusive !== undefined && { exclusive }),
      ...(shared !== undefined && { shared }),
    };
  }

  /** What the host is told of a part of what is held. */
  refsOf(part: ResourceRef | readonly ResourceRef[]): readonly RemoteRef[] {
    const refs = listOf(part);
    checkSetSize(refs.length);
    // Holes in a list too: they are no names.
    return Array.from(refs, (ref) => this.#find(ref));
  }

  #refList(refs: ResourceRef | readonly ResourceRef[] | undefined): RemoteRef[] | undefined {
    if (refs === undefined) return undefined;
    if (!Array.isArray(refs)) return [this.#open(refs as ResourceRef)];
    checkSetSize(refs.length);
    const found: RemoteRef[] = [];
    // By index, as a hole in a list is no name.
    for (let index = 0; index < refs.length; index++) found.push(this.#open(refs[index]));
    return found;
  }

  #open(ref: ResourceRef): RemoteRef {
    const isClosed = ref instanceof RemoteResource && ref.owner === this && !ref.isOpen;
    if (isClosed) throw closedResource(ref);
    return this.#find(ref);
  }

  #find(ref: ResourceRef): RemoteRef {
    if (ref instanceof RemoteResource) {
      if (ref.owner !== this) throw foreignSet();
      return ref.ref;
    }
    checkName(ref);
    return ref;
  }
}
