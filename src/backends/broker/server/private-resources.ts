/** The resources of one client that have no name: the client numbers them. */

import { LimitError } from '../../../api/errors.ts';
import { decodePart, type EncodedPart, modeOf } from '../../../api/mode.ts';
import type { ReadSet } from '../../../api/read-set.ts';
import type { Resource, ResourceRef } from '../../../api/sets.ts';
import type { UnitCount } from '../../../api/units.ts';
import type { RemoteRef } from '../../../remote/resources.ts';
import { privateCountMax } from '../wire/limits.ts';

export class PrivateResources {
  readonly #create: () => Resource;
  readonly #resources = new Map<number, Resource>();

  constructor(create: () => Resource) {
    this.#create = create;
  }

  setOf(parts: readonly EncodedPart<RemoteRef>[]): ReadSet {
    const exclusive: ResourceRef[] = [];
    const shared: ResourceRef[] = [];
    const taken = new Map<ResourceRef, UnitCount>();
    for (const encoded of parts) {
      const part = decodePart(encoded);
      const ref = this.refOf(part.resource);
      const mode = modeOf(part);
      const { units, of = 0 } = part;
      if (mode === 'units') taken.set(ref, of === 0 ? units : { take: units, of });
      else (mode === 'exclusive' ? exclusive : shared).push(ref);
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
    return resource;
  }

  /** The number of a resource can be used afresh; a name has nothing to close. */
  close(ref: RemoteRef): void {
    if (typeof ref === 'string') return;
    void this.#resources.get(ref)?.close();
    this.#resources.delete(ref);
  }

  closeAll(): void {
    for (const resource of this.#resources.values()) void resource.close();
  }
}
