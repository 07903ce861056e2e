/** What a domain looks like at one moment. Plain data: it can be sent, stored and compared. */

import type { NamedSet } from './sets.ts';

export interface SnapshotEntry {
  /** Of the request, the same while it waits and while it is held. */
  readonly id: number;
  readonly set: NamedSet;
  readonly label: string | undefined;
  /** Label of the session that it was made through, if it has one. */
  readonly session: string | undefined;
  /** The fencing token, once granted. */
  readonly token: number | undefined;
  /** When it was granted, or, while it waits, when it was made: ms since 1970, as Date.now(). */
  readonly since: number;
  /**
   * Ids of the requests right in its way: on each resource the nearest ones ahead that conflict.
   * What those wait for themselves is in their own entries.
   */
  readonly waitingFor: readonly number[];
}

export interface Snapshot {
  /** By token. */
  readonly held: readonly SnapshotEntry[];
  /** In arrival order. */
  readonly pending: readonly SnapshotEntry[];
}
