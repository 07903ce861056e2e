/** All requests and grants of a domain at one moment. Plain data: can be sent and compared. */

import type { NamedSet } from './sets.ts';
import type { Capacity, Unit } from './units.ts';

/**
 * A held or waiting set in a {@link Snapshot}.
 *
 * @since 0.1.0
 */
export interface SnapshotEntry {
  /** The id of the request; its grant keeps it. */
  readonly id: number;
  /** The resources that it holds or requests. */
  readonly set: NamedSet;
  /** The label of the request. */
  readonly label: string | undefined;
  /** The label of the session, or of the domain, that the request was made through. */
  readonly session: string | undefined;
  /** The fencing token of the grant; undefined while the set waits. */
  readonly token: number | undefined;
  /** Time of the grant, or of the request while the set waits: ms since 1970, as Date.now(). */
  readonly since: number;
  /**
   * Ids of the sets that directly block this one: on each resource the nearest ones ahead that
   * conflict; on one with a capacity the one ahead in line, or, for the first in line, all that
   * hold units. Their own blockers are in their entries. Empty once granted.
   */
  readonly waitingFor: readonly number[];
  /**
   * The units of a held set, by resource, as in {@link Grant.units}; absent without any. Left out
   * of a resource of which it has more than 1,024.
   *
   * @since 0.2.0
   */
  readonly units?: Readonly<Record<string, readonly Unit[]>>;
}

/**
 * A resource with a capacity in a {@link Snapshot}.
 *
 * @since 0.2.0
 */
export interface SnapshotCapacity extends Capacity {
  /** The name of the resource. */
  readonly resource: string;
}

/**
 * The held sets, the waiting sets and their blockers of a domain at one moment, as plain data that
 * can be sent and compared: returned by {@link Domain.query} and {@link SyncDomain.querySync}.
 *
 * @since 0.1.0
 */
export interface Snapshot {
  /** The held sets, by token. */
  readonly held: readonly SnapshotEntry[];
  /** The waiting sets, in arrival order. */
  readonly pending: readonly SnapshotEntry[];
  /**
   * The resources that have a capacity, by name; absent without any.
   *
   * @since 0.2.0
   */
  readonly capacities?: readonly SnapshotCapacity[];
}
