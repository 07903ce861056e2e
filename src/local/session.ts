/** The interface of a local domain: of a session, and the calls that answer at once. */

import type { SyncSession } from '../api/domain.ts';
import type { SyncGrant } from '../api/grant.ts';
import { type AcquireSyncOptions, checkIsObject, checkSpin } from '../api/options.ts';
import type { PreparedSet, ResourceRef, SetSpec } from '../api/sets.ts';
import type { Snapshot } from '../api/snapshot.ts';
import { type Capacity, type CapacitySpec, readCapacity } from '../api/units.ts';
import { SYNC } from '../core/index.ts';
import { labelOf, noOptions, noTerms, termsOf } from '../session/request-terms.ts';
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

  tryAcquireSync(set: SetSpec | PreparedSet, options?: { label?: string }): SyncGrant | null {
    const label = labelOf(options);
    return this.requests.try(this.scope, this.requests.resources.read(set), SYNC, label);
  }

  acquireSync(set: SetSpec | PreparedSet, options: AcquireSyncOptions = noOptions): SyncGrant {
    checkIsObject(options);
    const { timeoutMs, label, spinUs } = options;
    if (spinUs !== undefined) checkSpin(spinUs);
    const terms = options === noOptions ? noTerms : termsOf({ timeoutMs, label });
    const requested = this.requests.resources.read(set);
    return this.requests.acquireSync(this.scope, requested, terms, { timeoutMs, label, spinUs });
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
