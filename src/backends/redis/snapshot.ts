/** A snapshot, from the server's list of all sets (lua/query.lua): which set waits for which. */

import { LimitError } from '../../api/errors.ts';
import { takesAll } from '../../api/mode.ts';
import type { Snapshot, SnapshotEntry } from '../../api/snapshot.ts';
import { inSnapshotOrder } from '../../report/snapshot-order.ts';
import {
  eachInSteps,
  inSlices,
  itemsPerStep,
  mapInSteps,
  sortInSteps,
} from '../../runtime/slices.ts';
import type { RedisReply } from './connection.ts';
import { namedSet, readAbout } from './messages.ts';
import { readLabel, readLinks } from './names.ts';
import { type Scripts, strangeAnswer } from './scripts.ts';

/**
 * The client of a set, as it described itself when it opened the domain.
 *
 * @since 0.1.0
 */
export interface RedisClientInfo {
  /** Its session at the server; it opens a new one when its lease was lost. */
  readonly session: string;
  /** The label of its domain. */
  readonly label: string | undefined;
  /** The id of its process. */
  readonly pid: number | undefined;
  /** The name of its machine. */
  readonly host: string | undefined;
  /** The command line of its process. */
  readonly command: string | undefined;
}

/**
 * An entry of a snapshot, with its client.
 *
 * @since 0.1.0
 */
export interface RedisSnapshotEntry extends SnapshotEntry {
  /** The client that holds or requests the set. */
  readonly client: RedisClientInfo;
}

/**
 * The sets of all clients of a domain in Redis, with the client of each. Beyond 4,000 sets it is
 * assembled from several moments.
 *
 * @since 0.1.0
 */
export interface RedisSnapshot extends Snapshot {
  readonly held: readonly RedisSnapshotEntry[];
  readonly pending: readonly RedisSnapshotEntry[];
}

interface SnapshotSet {
  readonly entry: RedisSnapshotEntry;
  readonly links: string;
  /** Its position in the queues: its id, but a set that steals is before all others. */
  readonly arrival: number;
}

/** Fields of a set. */
const fieldCount = 7;

/** Sets in one page, at most: they take the server some 5 µs each. */
const pageCount = 4000;
/** Sets in a snapshot, at most: it must fit into the memory of this process. */
const setCountMax = 200_000;

/**
 * Of one moment, if there are few sets; otherwise it is put together from several.
 *
 * @throws LimitError if there are too many; as {@link Scripts.run} does
 */
export async function takeSnapshot(scripts: Scripts, caller: string): Promise<RedisSnapshot> {
  const sets: SnapshotSet[] = [];
  let [session, number] = ['', ''];
  do {
    const { answer } = await scripts.run('query', [caller, `${pageCount}`, session, number]);
    const [, endSession, endNumber, ...lists] = answer;
    if (typeof endSession !== 'string' || typeof endNumber !== 'string') throw strangeAnswer();
    [session, number] = [endSession, endNumber];
    await inSlices(readSets(lists, sets));
    if (sets.length > setCountMax) {
      throw new LimitError(`there are more than ${setCountMax} sets, the limit of a snapshot`);
    }
  } while (session !== '');
  return inSlices(snapshotOf(sets));
}

function* snapshotOf(sets: readonly SnapshotSet[]): Generator<void, RedisSnapshot> {
  const blockers = yield* blockersOf(sets);
  const entries = yield* mapInSteps(sets, ({ entry }) => {
    if (entry.token !== undefined) return entry;
    const waitingFor = [...(blockers.get(entry.id) ?? [])].sort((a, b) => a - b);
    return { ...entry, waitingFor };
  });
  return yield* inSnapshotOrder(entries);
}

function* readSets(lists: readonly RedisReply[], sets: SnapshotSet[]): Generator<void, void> {
  for (const list of lists as readonly (readonly string[])[]) {
    const [session = '', about = ''] = list;
    const { label, pid, host, command } = readAbout(about);
    const client: RedisClientInfo = { session, label, pid, host, command };
    for (let at = 2; at < list.length; at += fieldCount) {
      sets.push(readSet(list.slice(at, at + fieldCount), client));
      if (sets.length % itemsPerStep === 0) yield;
    }
  }
}

function readSet(fields: readonly string[], client: RedisClientInfo): SnapshotSet {
  const [id, links = '', since, token, label = '', scope = '', steal] = fields;
  const entry: RedisSnapshotEntry = {
    id: Number(id),
    set: namedSet(links),
    label: readLabel(label),
    session: readLabel(scope),
    token: token === '' ? undefined : Number(token),
    since: Number(since),
    waitingFor: [],
    client,
  };
  return { entry, links, arrival: steal === '1' ? -entry.id : entry.id };
}

/** By id of each set: on each resource the nearest ones ahead that conflict. */
function* blockersOf(
  sets: readonly SnapshotSet[],
): Generator<void, ReadonlyMap<number, ReadonlySet<number>>> {
  const blockers = new Map<number, Set<number>>();
  /** On each resource: the last exclusive one, and those shared that came after it. */
  const queues = new Map<string, { exclusive: readonly number[]; shared: number[] }>();
  const inOrder = yield* sortInSteps(sets, ({ arrival }) => arrival);
  yield* eachInSteps(inOrder, ({ entry, links }) => {
    const inTheWay = new Set<number>();
    for (const { units, resource } of readLinks(links)) {
      const isExclusive = takesAll(units);
      const { exclusive, shared } = queues.get(resource) ?? { exclusive: [], shared: [] };
      const nearest = isExclusive && shared.length > 0 ? shared : exclusive;
      for (const id of nearest) inTheWay.add(id);
      if (isExclusive) queues.set(resource, { exclusive: [entry.id], shared: [] });
      else {
        shared.push(entry.id);
        queues.set(resource, { exclusive, shared });
      }
    }
    blockers.set(entry.id, inTheWay);
  });
  return blockers;
}
