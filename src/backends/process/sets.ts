/** What is known of the sets of one event loop: by their tags, and those of their queues. */

import type { Core } from '../../core/index.ts';
import type { HostGrant } from '../../local/grant.ts';
import type { HostClock } from '../../local/host.ts';
import { HostSets } from '../../local/host-sets.ts';
import type { HostRequest } from '../../local/request.ts';
import type { HostResource } from '../../local/resources.ts';
import type { Registry } from './registry.ts';

export interface ProcessObjects {
  /** What the tags of sets stand for; 0 is nobody's. */
  readonly tagged: Registry<HostRequest | HostGrant>;
  /** What the tags of queues stand for. */
  readonly resources: Registry<HostResource>;
  /** Of the domain: told of what has no tag. */
  readonly label: string | undefined;
}

export class ProcessSets extends HostSets {
  readonly #objects: ProcessObjects;

  constructor(core: Core, clock: HostClock, objects: ProcessObjects) {
    super(core, clock);
    this.#objects = objects;
  }

  labelOf(set: number): string | undefined {
    return this.#objectOf(set)?.label;
  }

  sessionLabelOf(set: number): string | undefined {
    const object = this.#objectOf(set);
    return object === undefined ? this.#objects.label : object.scope.label;
  }

  nameOf(queue: number): string {
    return String(this.#objects.resources.get(this.core.resourceTag(queue)));
  }

  copy(): ProcessSets {
    const { tagged, resources, label } = this.#objects;
    const objects = { tagged: tagged.copy(), resources: resources.copy(), label };
    return new ProcessSets(this.core.copy(), this.clock, objects);
  }

  /** What stands for a set: its request, or its grant if that has anything to be told. */
  #objectOf(set: number): HostRequest | HostGrant | undefined {
    const tag = this.core.tag(set);
    return tag === 0 ? undefined : this.#objects.tagged.get(tag);
  }
}
