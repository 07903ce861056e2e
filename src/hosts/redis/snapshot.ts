/** A snapshot, from what the server tells of all sets (lua/query.lua): who waits for whom. */

import type { Snapshot, SnapshotEntry } from '../../domain/snapshot.ts';
import type { RedisReply } from './connection.ts';
import { namedSet, readAbout } from './in-words.ts';
import { readLabel, readLinks } from './names.ts';

/** Whose a set is, as that client told of itself. */
export interface RedisClientInfo {
  /** Of the client that made it; a new one is begun when a lease was lost. */
  readonly session: string;
  readonly label: string | undefined;
  readonly pid: number | undefined;
  readonly host: string | undefined;
  readonly command: string | undefined;
}

export interface RedisSnapshotEntry extends SnapshotEntry {
  readonly client: RedisClientInfo;
}

export interface RedisSnapshot extends Snapshot {
  readonly held: readonly RedisSnapshotEntry[];
  readonly pending: readonly RedisSnapshotEntry[];
}

interface SetTold {
  readonly entry: RedisSnapshotEntry;
  readonly links: string;
  /** Its place in the queues: its id, but a thief's is before all others. */
  readonly arrival: number;
}

/** Fields of a set. */
const fieldCount = 7;

export function readSnapshot(lists: readonly RedisReply[]): RedisSnapshot {
  const sets = (lists as readonly (readonly string[])[]).flatMap(readSets);
  const blockers = blockersOf(sets);
  const entries = sets.map(({ entry }) => {
    const waitingFor = entry.token === undefined ? blockers.get(entry.id) : undefined;
    return { ...entry, waitingFor: [...(waitingFor ?? [])].sort((a, b) => a - b) };
  });
  const held = entries.filter(({ token }) => token !== undefined);
  const pending = entries.filter(({ token }) => token === undefined);
  return {
    held: held.sort((one, other) => (one.token as number) - (other.token as number)),
    pending: pending.sort((one, other) => one.id - other.id),
  };
}

function readSets(list: readonly string[]): readonly SetTold[] {
  const [session = '', about = ''] = list;
  const { label, pid, host, command } = readAbout(about);
  const client: RedisClientInfo = { session, label, pid, host, command };
  const sets: SetTold[] = [];
  for (let at = 2; at < list.length; at += fieldCount) {
    const [id, links = '', since, token, setLabel = '', scope = '', thief] = list.slice(
      at,
      at + fieldCount,
    );
    const entry: RedisSnapshotEntry = {
      id: Number(id),
      set: namedSet(links),
      label: readLabel(setLabel),
      session: readLabel(scope),
      token: token === '' ? undefined : Number(token),
      since: Number(since),
      waitingFor: [],
      client,
    };
    sets.push({ entry, links, arrival: thief === '1' ? -entry.id : entry.id });
  }
  return sets;
}

/** By id of each set: on each resource the nearest ones ahead that conflict. */
function blockersOf(sets: readonly SetTold[]): ReadonlyMap<number, ReadonlySet<number>> {
  const blockers = new Map<number, Set<number>>();
  /** On each resource: the last exclusive one, and those shared that came after it. */
  const queues = new Map<string, { exclusive: readonly number[]; shared: number[] }>();
  for (const { entry, links } of [...sets].sort((one, other) => one.arrival - other.arrival)) {
    const inTheWay = new Set<number>();
    for (const { isExclusive, keyName } of readLinks(links)) {
      const { exclusive, shared } = queues.get(keyName) ?? { exclusive: [], shared: [] };
      const nearest = isExclusive && shared.length > 0 ? shared : exclusive;
      for (const id of nearest) inTheWay.add(id);
      if (isExclusive) queues.set(keyName, { exclusive: [entry.id], shared: [] });
      else {
        shared.push(entry.id);
        queues.set(keyName, { exclusive, shared });
      }
    }
    blockers.set(entry.id, inTheWay);
  }
  return blockers;
}
