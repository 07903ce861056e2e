/** Reads the sets of one event loop: tags of sets and queues lead to their objects. */

import type { Core } from '../../core/index.ts';
import { HostGrant } from '../../local/grant.ts';
import type { OwnObject } from '../../local/owners.ts';
import type { HostResource } from '../../local/resources.ts';
import { LocalReader, type NotedClock } from '../../report/core-reader.ts';
import type { Registry } from './registry.ts';

export interface ProcessObjects {
  /** Requests and grants, by the tags of sets. Tag 0 has no object. */
  readonly tagged: Registry<OwnObject>;
  /** Resources, by the tags of queues. */
  readonly resources: Registry<HostResource>;
  /** The label of the domain, for sets without a tag. */
  readonly label: string | undefined;
}

export class ProcessReader extends LocalReader {
  readonly #objects: ProcessObjects;

  constructor(core: Core, clock: NotedClock, objects: ProcessObjects) {
    super(core, clock);
    this.#objects = objects;
  }

  labelOf(set: number): string | undefined {
    const object = this.#objectOf(set);
    return object instanceof HostGrant ? object.label : object?.terms.label;
  }

  sessionLabelOf(set: number): string | undefined {
    const object = this.#objectOf(set);
    return object === undefined ? this.#objects.label : object.scope.label;
  }

  override ownerOf(set: number): number | undefined {
    return this.#objectOf(set)?.scope.owner;
  }

  nameOf(queue: number): string {
    return String(this.#objects.resources.get(this.core.resourceUserData(queue)));
  }

  copy(): ProcessReader {
    const { tagged, resources, label } = this.#objects;
    const objects = { tagged: tagged.copy(), resources: resources.copy(), label };
    return new ProcessReader(this.core.copy(), this.clock, objects);
  }

  /** The request of a set, or its grant if that has details. */
  #objectOf(set: number): OwnObject | undefined {
    const tag = this.core.userData(set);
    return tag === 0 ? undefined : this.#objects.tagged.get(tag);
  }
}
