/** What requests and grants know of the session that they go through, and of its backend. */

import type { EventDomain } from '../api/events.ts';
import type { RequestKey } from '../api/outer-grants.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Delivery } from '../runtime/delivery.ts';
import type { SessionScope } from '../session/session-tree.ts';
import type { GrantedUnits, Operation } from './protocol.ts';
import type { RemoteRef, RemoteResources } from './resources.ts';

/** A request, or the grant that comes of it. */
export interface Identified {
  readonly id: number;
}

export type RemoteScope = SessionScope<ScopeBackend, Identified>;

export interface ScopeBackend {
  /** The domain, as events name it. */
  readonly eventDomain: EventDomain;
  readonly clock: Clock;
  readonly delivery: Delivery;
  readonly resources: Pick<
    RemoteResources,
    'accept' | 'listsOf' | 'read' | 'refsOf' | 'unitsLeftOf'
  >;
  /** Whether the backend has the capability `units`. */
  readonly hasUnits: boolean;
  /** Of a grant. A promise resolves when the other side has it, and never rejects. */
  send(operation: Operation): void | Promise<void>;
  /**
   * Makes parts of a held grant exclusive, or none. Resolves with the units that it has of them
   * then; undefined if others are in the way.
   */
  tryUpgrade(
    grant: Identified,
    part: readonly RemoteRef[],
  ): Promise<readonly GrantedUnits[] | undefined>;
  /** Loses the grants of a lease that is over by this client's own clock. */
  checkLease(): void;
  /** By which other clients of the domain find a held grant, where the backend has such keys. */
  keyOf(grant: Identified): RequestKey | undefined;
}
