/** The resources of one client that have no name: the client numbers them. */

import { LimitError } from '../../../api/errors.ts';
import { decodePart, type EncodedPart, takesAll } from '../../../api/mode.ts';
import type { ReadSet } from '../../../api/read-set.ts';
import type { Resource, ResourceRef } from '../../../api/sets.ts';
import type { UnitCount } from '../../../api/units.ts';
import type { RemoteRef } from '../../../remote/resources.ts';
import { privateCountMax } from '../wire/limits.ts';

export class PrivateResources {
  readonly #create: () => Resource;
  readonly #forget: (resource: Resource) => void;
  readonly #resources = new Map<number, Resource>();
  readonly #numbers = new Map<ResourceRef, number>();

  /** `forget` is called as a resource ends. */
  constructor(create: () => Resource, forget: (resource: Resource) => void) {
    this.#create = create;
    this.#forget = forget;
  }

  setOf(parts: readonly EncodedPart<RemoteRef>[]): ReadSet {
    const exclusive: ResourceRef[] = [];
    const shared: ResourceRef[] = [];
    const taken = new Map<ResourceRef, UnitCount>();
    for (const encoded of parts) {
      const part = decodePart(encoded);
      const ref = this.refOf(part.resource);
      const { units, of } = part;
      // Also of a part with as many units as an exclusive one: their capacity is to be checked.
      if (of !== undefined) taken.set(ref, of === 0 ? units : { take: units, of });
      else (takesAll(units) ? exclusive : shared).push(ref);
    }
    return taken.size === 0 ? { exclusive, shared } : { exclusive, shared, units: taken };
  }

  /** @throws LimitError */
  refOf(ref: RemoteRef): ResourceRef {
    if (typeof ref === 'string') return ref;
    const known = this.#resources.get(ref);
    if (known !== undefined) return known;
    if (this.#resources.size >= privateCountMax) {
      throw new LimitError(`one client has at most ${privateCountMax} resources without a name`);
    }
    const resource = this.#create();
    this.#resources.set(ref, resource);
    this.#numbers.set(resource, ref);
    return resource;
  }

  /** As the client names it. */
  sentRefOf(resource: ResourceRef): RemoteRef {
    return typeof resource === 'string' ? resource : (this.#numbers.get(resource) as number);
  }

  /** The number of a resource can be used afresh; a name has nothing to close. */
  close(ref: RemoteRef): void {
    const resource = typeof ref === 'string' ? undefined : this.#resources.get(ref);
    if (resource === undefined) return;
    void resource.close();
    this.#resources.delete(ref as number);
    this.#numbers.delete(resource);
    this.#forget(resource);
  }

  closeAll(): void {
    for (const resource of this.#resources.values()) {
      void resource.close();
      this.#forget(resource);
    }
  }
}
