/** Reads the sets of one event loop: user data of sets and queues are numbers of their objects. */

import type { Core } from '../../core/index.ts';
import { LocalGrant } from '../../local/grant.ts';
import type { OwnObject } from '../../local/owners.ts';
import type { LocalResource } from '../../local/resources.ts';
import type { LocalReader, StampClock } from '../../report/core-reader.ts';
import type { Registry } from './registry.ts';

export interface ProcessObjects {
  /** Requests and grants, by the user data of sets; 0 is no object. */
  readonly owners: Registry<OwnObject>;
  /** Resources, by the user data of queues. */
  readonly resources: Registry<LocalResource>;
  /** The label of the domain, for sets without an object. */
  readonly label: string | undefined;
}

export class ProcessReader implements LocalReader {
  readonly core: Core;
  readonly clock: StampClock;
  readonly #objects: ProcessObjects;

  constructor(core: Core, clock: StampClock, objects: ProcessObjects) {
    this.core = core;
    this.clock = clock;
    this.#objects = objects;
  }

  idOf(set: number): number {
    return this.core.arrival(set);
  }

  tokenOf(set: number): number {
    return this.core.token(set);
  }

  sinceOf(set: number): number {
    return this.clock.fromStamp(this.core.grantedAt(set));
  }

  labelOf(set: number): string | undefined {
    const object = this.#objectOf(set);
    return object instanceof LocalGrant ? object.label : object?.terms.label;
  }

  sessionLabelOf(set: number): string | undefined {
    const object = this.#objectOf(set);
    return object === undefined ? this.#objects.label : object.scope.label;
  }

  ownerOf(set: number): number | undefined {
    return this.#objectOf(set)?.scope.owner;
  }

  nameOf(queue: number): string {
    return String(this.#objects.resources.get(this.core.resourceUserData(queue)));
  }

  unitNamesOf(queue: number): readonly string[] | undefined {
    return this.#objects.resources.get(this.core.resourceUserData(queue)).unitNames;
  }

  copy(): ProcessReader {
    const { owners, resources, label } = this.#objects;
    const objects = { owners: owners.copy(), resources: resources.copy(), label };
    return new ProcessReader(this.core.copy(), this.clock, objects);
  }

  /** The request of a set, or its grant if that has details. */
  #objectOf(set: number): OwnObject | undefined {
    const userData = this.core.userData(set);
    return userData === 0 ? undefined : this.#objects.owners.get(userData);
  }
}
