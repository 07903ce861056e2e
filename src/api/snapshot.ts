/** All requests and grants of a domain at one moment. Plain data: can be sent and compared. */

import type { NamedSet } from './sets.ts';

export interface SnapshotEntry {
  /** Of the request; its grant keeps it. */
  readonly id: number;
  readonly set: NamedSet;
  readonly label: string | undefined;
  /** Label of the session that it was made through, if it has one. */
  readonly session: string | undefined;
  /** The fencing token, once granted. */
  readonly token: number | undefined;
  /** Time of the grant, or of the request while it waits: ms since 1970, as Date.now(). */
  readonly since: number;
  /**
   * Ids of the requests that directly block it: on each resource the nearest ones ahead that
   * conflict. Their own blockers are in their entries.
   */
  readonly waitingFor: readonly number[];
}

export interface Snapshot {
  /** By token. */
  readonly held: readonly SnapshotEntry[];
  /** In arrival order. */
  readonly pending: readonly SnapshotEntry[];
}
