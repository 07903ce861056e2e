/** A client's handles and prepared sets, and what the broker is told of the sets that it names. */

import { InvalidSetError, LimitError } from '../../domain/errors.ts';
import { setSizeMax } from '../../domain/limits.ts';
import {
  checkName,
  checkSpec,
  describe,
  type PreparedSet,
  type Resource,
  type ResourceRef,
  type SetSpec,
} from '../../domain/sets.ts';
import type { RefSent, SetSent } from './messages.ts';

/** Asks the broker whether a resource is used; rejects with ResourceBusyError if it is. */
type Close = (resource: RefSent) => Promise<void>;

export class BrokerResource implements Resource {
  readonly name: string | undefined;
  readonly owner: BrokerResources;
  /** What the broker is told: its name, or its number. */
  readonly sent: RefSent;
  isOpen = true;

  constructor(owner: BrokerResources, name: string | undefined, sent: RefSent) {
    this.owner = owner;
    this.name = name;
    this.sent = sent;
  }

  async close(): Promise<void> {
    if (this.isOpen) await this.owner.close(this);
  }

  /** For people. */
  toString(): string {
    return this.name ?? `#${this.sent}`;
  }
}

class BrokerPreparedSet implements PreparedSet {
  readonly owner: BrokerResources;
  readonly exclusive: readonly ResourceRef[];
  readonly shared: readonly ResourceRef[];
  readonly sent: SetSent;
  readonly handles: readonly BrokerResource[];

  constructor(
    owner: BrokerResources,
    exclusive: ReadonlyMap<RefSent, ResourceRef>,
    shared: ReadonlyMap<RefSent, ResourceRef>,
  ) {
    this.owner = owner;
    this.exclusive = [...exclusive.values()];
    this.shared = [...shared.values()];
    this.sent = { exclusive: [...exclusive.keys()], shared: [...shared.keys()] };
    const refs = [...this.exclusive, ...this.shared];
    this.handles = refs.filter((ref) => ref instanceof BrokerResource);
  }
}

export class BrokerResources {
  readonly #handles = new Map<string, BrokerResource>();
  readonly #close: Close;
  #numberLast = 0;

  constructor(close: Close) {
    this.#close = close;
  }

  handle(name: string | undefined): BrokerResource {
    if (name === undefined) {
      this.#numberLast++;
      return new BrokerResource(this, undefined, this.#numberLast);
    }
    checkName(name);
    const handle = this.#handles.get(name) ?? new BrokerResource(this, name, name);
    this.#handles.set(name, handle);
    return handle;
  }

  /** A handle without a name that has never been sent need not be asked for: but it is. */
  async close(handle: BrokerResource): Promise<void> {
    await this.#close(handle.sent);
    handle.isOpen = false;
    if (handle.name !== undefined) this.#handles.delete(handle.name);
  }

  prepare(spec: SetSpec): PreparedSet {
    if (spec instanceof BrokerPreparedSet) {
      if (spec.owner === this) return spec;
      throw foreign();
    }
    checkSpec(spec);
    const exclusive = new Map<RefSent, ResourceRef>();
    const shared = new Map<RefSent, ResourceRef>();
    const [exclusiveRefs, sharedRefs] = [listOf(spec.exclusive), listOf(spec.shared)];
    checkSize(exclusiveRefs.length + sharedRefs.length);
    for (const ref of exclusiveRefs) exclusive.set(this.#sent(ref), ref);
    for (const ref of sharedRefs) {
      const sent = this.#sent(ref);
      if (!exclusive.has(sent)) shared.set(sent, ref);
    }
    return new BrokerPreparedSet(this, exclusive, shared);
  }

  /** What the broker is told of a set. */
  sentSet(spec: SetSpec | PreparedSet): SetSent {
    if (spec instanceof BrokerPreparedSet) {
      if (spec.owner !== this) throw foreign();
      for (const handle of spec.handles) if (!handle.isOpen) throw closed(handle);
      return spec.sent;
    }
    checkSpec(spec);
    const { exclusive: exclusiveRefs, shared: sharedRefs } = spec;
    const exclusive = this.#sentList(exclusiveRefs);
    const shared = this.#sentList(sharedRefs);
    checkSize((exclusive?.length ?? 0) + (shared?.length ?? 0));
    return {
      ...(exclusive !== undefined && { exclusive }),
      ...(shared !== undefined && { shared }),
    };
  }

  /** What the broker is told of a part of what is held. */
  sentPart(part: ResourceRef | readonly ResourceRef[]): readonly RefSent[] {
    const refs = listOf(part);
    checkSize(refs.length);
    return refs.map((ref) => this.#find(ref));
  }

  #sentList(refs: ResourceRef | readonly ResourceRef[] | undefined): RefSent[] | undefined {
    if (refs === undefined) return undefined;
    if (!Array.isArray(refs)) return [this.#sent(refs as ResourceRef)];
    checkSize(refs.length);
    const sent: RefSent[] = [];
    // By index, as a hole in a list is no name.
    for (let index = 0; index < refs.length; index++) sent.push(this.#sent(refs[index]));
    return sent;
  }

  #sent(ref: ResourceRef): RefSent {
    if (ref instanceof BrokerResource && ref.owner === this && !ref.isOpen) throw closed(ref);
    return this.#find(ref);
  }

  #find(ref: ResourceRef): RefSent {
    if (ref instanceof BrokerResource) {
      if (ref.owner !== this) throw foreign();
      return ref.sent;
    }
    checkName(ref);
    return ref;
  }
}

function listOf(refs: ResourceRef | readonly ResourceRef[] | undefined): readonly ResourceRef[] {
  if (refs === undefined) return [];
  return Array.isArray(refs) ? Array.from(refs) : [refs as ResourceRef];
}

function checkSize(size: number): void {
  if (size > setSizeMax) {
    throw new LimitError(`a set of ${size} resources is over the limit of ${setSizeMax}`);
  }
}

function closed(handle: BrokerResource): InvalidSetError {
  return new InvalidSetError(
    `resource ${describe(String(handle))} is closed: make a new handle with resource()`,
  );
}

function foreign(): InvalidSetError {
  return new InvalidSetError('the resource or prepared set belongs to another domain');
}
