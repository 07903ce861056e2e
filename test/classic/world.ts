/** A domain seen as a driver of 2012 sees it, and a log of whose callbacks have run. */

import { createDomain } from 'kds';
import {
  classic,
  KDS_FLAG_LOCKED_WAIT,
  type kds_bitmap,
  type kds_callback,
  type kds_resource,
  type kds_resource_set_pointer,
} from 'kds/classic';

export interface Asking {
  readonly flags?: number;
  readonly cb?: kds_callback<string, unknown>;
}

export class World {
  readonly domain = createDomain();
  readonly kds = classic(this.domain);
  readonly log: string[] = [];
  readonly direct: kds_callback<string, unknown> = {};
  readonly queued: kds_callback<string, unknown> = {};

  constructor() {
    this.kds.kds_callback_init(this.direct, true, (name) => this.log.push(name));
    this.kds.kds_callback_init(this.queued, false, (name) => this.log.push(name));
  }

  resources(count: number): kds_resource[] {
    return Array.from({ length: count }, () => this.resource());
  }

  resource(): kds_resource {
    const resource: kds_resource = {};
    this.kds.kds_resource_init(resource);
    return resource;
  }

  /** Asks for a list; `name` is logged when it is granted. */
  ask(
    name: string,
    bitmap: kds_bitmap,
    list: readonly kds_resource[],
    { flags = KDS_FLAG_LOCKED_WAIT, cb = this.direct }: Asking = {},
  ): kds_resource_set_pointer & { readonly errno: number } {
    const pointer: kds_resource_set_pointer = { value: null };
    const errno = this.kds.kds_async_waitall(
      pointer,
      flags,
      cb,
      name,
      null,
      list.length,
      bitmap,
      list,
    );
    return Object.assign(pointer, { errno });
  }

  /** Takes a list as a synchronous caller, if it is free. */
  take(bitmap: kds_bitmap, list: readonly kds_resource[]): kds_resource_set_pointer {
    return { value: this.kds.kds_waitall(list.length, bitmap, list, 0) };
  }

  release(pointer: kds_resource_set_pointer): void {
    this.kds.kds_resource_set_release(pointer);
  }
}

export const exclusive = [1];
export const shared = [0];
