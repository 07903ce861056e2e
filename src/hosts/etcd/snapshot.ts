/** What a client's copy of the state looks like, and whose each set is. */

import type { Snapshot, SnapshotEntry } from '../../domain/snapshot.ts';
import { snapshotOf } from '../../sync-domain/snapshot.ts';
import type { SessionEntry } from './entries.ts';
import type { LiveSet } from './live-set.ts';
import type { Replica } from './replica.ts';

/** The client that a set belongs to, as it told of itself when it came. */
export interface EtcdClientInfo extends SessionEntry {
  /** Of its session with etcd. */
  readonly id: string;
}

export interface EtcdSnapshotEntry extends SnapshotEntry {
  /** Undefined if it has died, and what it left behind is about to be put away. */
  readonly client: EtcdClientInfo | undefined;
}

/**
 * Of a set that had been granted, after a wait, before this client came, the token that is told is
 * a lower bound, and the time that of the request.
 */
export interface EtcdSnapshot extends Snapshot {
  readonly held: readonly EtcdSnapshotEntry[];
  readonly pending: readonly EtcdSnapshotEntry[];
  /** Of etcd: the domain was so at this one. */
  readonly revision: number;
}

export function snapshotOfReplica(replica: Replica): EtcdSnapshot {
  const byId = new Map<number, LiveSet>();
  for (const live of replica.sets.values()) byId.set(live.id, live);
  const withClient = (entry: SnapshotEntry): EtcdSnapshotEntry => {
    const id = byId.get(entry.id)?.session ?? '';
    const session = replica.sessions.get(id);
    if (session === undefined) return { ...entry, client: undefined };
    const { pid, host, label } = session.entry;
    return { ...entry, client: { id, pid, host, label } };
  };
  const { held, pending } = snapshotOf(replica.fold);
  return {
    held: held.map(withClient),
    pending: pending.map(withClient),
    revision: replica.revision,
  };
}
