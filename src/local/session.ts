/** The interface of a local domain: of a session, and the calls that answer at once. */

import type { SyncSession } from '../api/domain.ts';
import type { SyncGrant } from '../api/grant.ts';
import {
  type AcquireOptions,
  type AcquireSyncOptions,
  checkIsObject,
  checkSpin,
} from '../api/options.ts';
import type { PreparedSet, ResourceRef, SetSpec } from '../api/sets.ts';
import type { Snapshot } from '../api/snapshot.ts';
import { type Capacity, type CapacitySpec, readCapacity } from '../api/units.ts';
import { SYNC } from '../core/index.ts';
import { labelOf, noneHeld, noOptions, noTerms, termsOf } from '../session/request-terms.ts';
import { DomainSession } from '../session/session.ts';
import type { SessionOptions } from '../session/session-tree.ts';
import type { LocalGrant } from './grant.ts';
import type { LocalRequests } from './requests.ts';
import type { RequestedSet } from './resources.ts';
import type { LocalScope } from './scope.ts';

export class LocalSession
  extends DomainSession<LocalGrant, RequestedSet, LocalScope>
  implements SyncSession
{
  declare readonly requests: LocalRequests;

  override session(options: SessionOptions = noOptions as object): LocalSession {
    return new LocalSession(this.requests, this.scope.open(options));
  }

  override acquire(
    set: SetSpec | PreparedSet,
    options: AcquireOptions = noOptions,
  ): Promise<LocalGrant> {
    const { requests, scope } = this;
    if (options !== noOptions || requests.heldContext !== undefined) {
      return super.acquire(set, options);
    }
    try {
      const requested = requests.resources.read(set);
      const grant = requests.operations.takeFree(scope, requested, 0);
      // A field is read so that the compiler knows the class, and that it has no `then`: it then
      // fulfils the promise in line, in place of asking the object for one.
      if (grant !== undefined && grant.set !== 0) return Promise.resolve(grant);
      return requests.acquire(scope, requested, noTerms, noneHeld);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  tryAcquireSync(set: SetSpec | PreparedSet, options?: { label?: string }): SyncGrant | null {
    const { requests, scope } = this;
    const label = labelOf(options);
    const requested = requests.resources.read(set);
    const isUsual = options === undefined && requests.heldContext === undefined;
    const grant = isUsual ? requests.operations.takeFree(scope, requested, SYNC) : undefined;
    return grant ?? requests.try(scope, requested, SYNC, label);
  }

  acquireSync(set: SetSpec | PreparedSet, options: AcquireSyncOptions = noOptions): SyncGrant {
    checkIsObject(options);
    const { timeoutMs, label, spinUs } = options;
    if (spinUs !== undefined) checkSpin(spinUs);
    const terms = options === noOptions ? noTerms : termsOf({ timeoutMs, label });
    const { requests, scope } = this;
    const requested = requests.resources.read(set);
    const isUsual = label === undefined && requests.heldContext === undefined;
    const grant = isUsual ? requests.operations.takeFree(scope, requested, SYNC) : undefined;
    return grant ?? requests.acquireSync(scope, requested, terms, { timeoutMs, label, spinUs });
  }

  override setCapacity(ref: ResourceRef, capacity: CapacitySpec): void {
    this.requests.setCapacity(this.scope, ref, readCapacity(capacity));
  }

  override capacity(ref: ResourceRef): Capacity | undefined {
    return this.requests.capacity(ref);
  }

  querySync(): Snapshot {
    return this.requests.querySync();
  }
}
