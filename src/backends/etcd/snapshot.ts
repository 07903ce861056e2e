/** The snapshot of a client's replica, with the client of each set. */

import type { Snapshot, SnapshotEntry } from '../../api/snapshot.ts';
import { entriesOf } from '../../report/snapshot-entries.ts';
import { inSlices } from '../../runtime/slices.ts';
import type { SessionEntry } from './entries.ts';
import type { Replica } from './replica.ts';

/** The client that a set belongs to, as it described itself when it came. */
export interface EtcdClientInfo extends SessionEntry {
  /** Of its session with etcd. */
  readonly id: string;
}

export interface EtcdSnapshotEntry extends SnapshotEntry {
  /** Undefined if it has died, and what it left behind is about to be put away. */
  readonly client: EtcdClientInfo | undefined;
}

/**
 * Of a set that had been granted, after a wait, before this client came, its token is
 * a lower bound, and the time that of the request.
 */
export interface EtcdSnapshot extends Snapshot {
  readonly held: readonly EtcdSnapshotEntry[];
  readonly pending: readonly EtcdSnapshotEntry[];
  /** Of etcd: the domain was so at this one. */
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
