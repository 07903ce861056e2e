/** What a client's copy of the state looks like, and whose each set is. */

import type { Snapshot, SnapshotEntry } from '../../domain/snapshot.ts';
import { inSlices } from '../../event-loop/slices.ts';
import { entriesOf } from '../../sync-domain/snapshot-entries.ts';
import type { SessionEntry } from './entries.ts';
import type { Fold } from './fold.ts';
import type { Replica } from './replica.ts';

/** After so many steps the work may be interrupted. */
const stepCount = 200;

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

/** Of this moment, though it takes its time. */
export function snapshotOfReplica({ fold, sessions, revision }: Replica): Promise<EtcdSnapshot> {
  return inSlices(entriesWithClients(fold.copy(), new Map(sessions), revision));
}

function* entriesWithClients(
  fold: Fold,
  sessions: Replica['sessions'],
  revision: number,
): Generator<void, EtcdSnapshot> {
  const { held, pending } = yield* entriesOf(fold);
  const sessionById = new Map<number, string>();
  for (const live of fold.liveSets()) {
    sessionById.set(live.id, live.session);
    if (sessionById.size % stepCount === 0) yield;
  }
  function* withClients(entries: readonly SnapshotEntry[]) {
    const more: EtcdSnapshotEntry[] = [];
    for (const entry of entries) {
      const id = sessionById.get(entry.id) ?? '';
      more.push({ ...entry, client: clientOf(id, sessions.get(id)?.entry) });
      if (more.length % stepCount === 0) yield;
    }
    return more;
  }
  return { held: yield* withClients(held), pending: yield* withClients(pending), revision };
}

function clientOf(id: string, entry: SessionEntry | undefined): EtcdClientInfo | undefined {
  if (entry === undefined) return undefined;
  const { pid, host, label } = entry;
  return { id, pid, host, label };
}
