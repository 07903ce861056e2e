/** The snapshot of a client's replica, with the client of each set. */

import type { Snapshot, SnapshotEntry } from '../../api/snapshot.ts';
import { entriesOf } from '../../report/snapshot-entries.ts';
import { inSlices } from '../../runtime/slices.ts';
import type { SessionEntry } from './entries.ts';
import type { Replica } from './replica.ts';

/**
 * The client of a set, as it described itself when it opened the domain.
 *
 * @since 0.1.0
 */
export interface EtcdClientInfo extends SessionEntry {
  /** The id of its session. */
  readonly id: string;
}

/**
 * An entry of a snapshot, with its client.
 *
 * @since 0.1.0
 */
export interface EtcdSnapshotEntry extends SnapshotEntry {
  /** The client of the set; undefined if its session has expired, and the set is about to end. */
  readonly client: EtcdClientInfo | undefined;
}

/**
 * The sets of all clients of a domain in etcd, with the client of each. For a set that was granted,
 * after a wait, before this client opened the domain, `token` is a lower bound, and `since` the
 * time of the request.
 *
 * @since 0.1.0
 */
export interface EtcdSnapshot extends Snapshot {
  readonly held: readonly EtcdSnapshotEntry[];
  readonly pending: readonly EtcdSnapshotEntry[];
  /** The revision of etcd at which the domain was in this state. */
  readonly revision: number;
}

/** Of this moment, though it takes its time. */
export async function snapshotOfReplica(replica: Replica): Promise<EtcdSnapshot> {
  const { revision } = replica;
  const state = replica.state.copy();
  const sessions = new Map(replica.sessions);
  const withClient = (entry: SnapshotEntry, set: number): EtcdSnapshotEntry => {
    const { session: id } = state.liveOf(set);
    return { ...entry, client: clientOf(id, sessions.get(id)?.entry) };
  };
  return { ...(await inSlices(entriesOf(state, withClient))), revision };
}

function clientOf(id: string, entry: SessionEntry | undefined): EtcdClientInfo | undefined {
  if (entry === undefined) return undefined;
  const { pid, host, label } = entry;
  return { id, pid, host, label };
}
