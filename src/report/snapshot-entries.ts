/**
 * Makes the entries of a snapshot from a copy of the state ({@link CoreReader.copy}). The copy
 * stops the domain for some 20 ns a set and link. The entries take many times as long; they may be
 * made in slices, as a copy does not change.
 */

import type { Snapshot, SnapshotCapacity, SnapshotEntry } from '../api/snapshot.ts';
import { unitsListedMax } from '../api/units.ts';
import { numbersIn } from '../core/index.ts';
import { itemsPerStep, mapInSteps } from '../runtime/slices.ts';
import { namesOf } from './blockers.ts';
import { capacityIn, unitsOfGrant } from './capacities.ts';
import type { CoreReader } from './core-reader.ts';
import { inSnapshotOrder } from './snapshot-order.ts';

/** A snapshot whose entries have more than those of any domain. */
export interface SnapshotOf<E extends SnapshotEntry> extends Snapshot {
  readonly held: readonly E[];
  readonly pending: readonly E[];
}

/** Words of memory that one step reads. */
const wordsPerStep = 2 ** 14;

/**
 * Makes the entries of all sets of a copy; `finish` may add to each. Yields where a slice may end.
 */
export function* entriesOf<E extends SnapshotEntry>(
  reader: CoreReader,
  finish: (entry: SnapshotEntry, set: number) => E,
): Generator<void, SnapshotOf<E>> {
  const sets = yield* setsOf(reader);
  const blockers = yield* blockersOf(reader, sets);
  const toEntry = entryMaker(reader);
  const entries = yield* mapInSteps(sets, (set) => finish(toEntry(set, blockers[set >> 3]), set));
  const capacities = yield* capacitiesOf(reader);
  const lists = yield* inSnapshotOrder(entries);
  return capacities.length === 0 ? lists : { ...lists, capacities };
}

/** By name. */
function* capacitiesOf(reader: CoreReader): Generator<void, readonly SnapshotCapacity[]> {
  const { core } = reader;
  const capacities: SnapshotCapacity[] = [];
  const wordCount = core.memory.words.length;
  for (let from = 0; from < wordCount; from += wordsPerStep) {
    for (const queue of core.meteredResources(from, Math.min(from + wordsPerStep, wordCount))) {
      const capacity = capacityIn(reader, queue);
      if (capacity !== undefined) capacities.push({ resource: reader.nameOf(queue), ...capacity });
      yield;
    }
    yield;
  }
  return capacities.sort((one, other) => (one.resource < other.resource ? -1 : 1));
}

function* setsOf({ core }: CoreReader): Generator<void, number[]> {
  const sets: number[] = [];
  const wordCount = core.memory.words.length;
  for (let from = 0; from < wordCount; from += wordsPerStep) {
    sets.push(...core.sets(from, Math.min(from + wordsPerStep, wordCount)));
    yield;
  }
  return sets;
}

function entryMaker(reader: CoreReader) {
  const { core, clock } = reader;
  // An arena stores a name letter by letter.
  const names = new Map<number, string>();
  const nameOf = (queue: number): string => {
    const known = names.get(queue);
    if (known !== undefined) return known;
    const name = reader.nameOf(queue);
    names.set(queue, name);
    return name;
  };
  const unitNamesOf = (queue: number) => reader.unitNamesOf(queue);
  const numbersOf = (link: number) => reader.numbersOf?.(link) ?? numbersIn(core.ranges(link));
  const named = { core, nameOf, unitNamesOf, numbersOf };
  return (set: number, blockers: readonly number[] = []): SnapshotEntry => ({
    id: reader.idOf(set),
    set: namesOf(named, set),
    label: reader.labelOf(set),
    session: reader.sessionLabelOf(set),
    token: core.isGranted(set) ? reader.tokenOf(set) : undefined,
    since: clock.toEpochMs(reader.sinceOf(set)),
    waitingFor: blockers.length < 2 ? blockers : [...new Set(blockers)].sort((a, b) => a - b),
    ...(core.isGranted(set) && unitsField(unitsOfGrant(named, set, unitsListedMax))),
  });
}

function unitsField(units: SnapshotEntry['units']) {
  return units !== undefined && { units };
}

type Blockers = (readonly number[] | undefined)[];

/** The ids of the nearest blockers of each waiting set, by the slot of that set. */
function* blockersOf(reader: CoreReader, sets: readonly number[]): Generator<void, Blockers> {
  const { core } = reader;
  // A slot is eight words long.
  const slotCount = core.memory.words.length >> 3;
  const blockers: Blockers = new Array(slotCount);
  const isSeen = new Uint8Array(slotCount);
  let count = 0;
  for (const set of sets) {
    for (let link = core.firstLink(set); link !== 0; link = core.nextLink(link)) {
      const queue = core.resourceOf(link);
      if (isSeen[queue >> 3] === 1) continue;
      isSeen[queue >> 3] = 1;
      yield* blockersIn(reader, queue, blockers);
    }
    if (++count % itemsPerStep === 0) yield;
  }
  return blockers;
}

/** Adds the blockers that one queue has, in one walk. */
function* blockersIn(reader: CoreReader, queue: number, blockers: Blockers): Generator<void> {
  const { core } = reader;
  if (core.isMetered(queue)) {
    yield* blockersOfUnits(reader, queue, blockers);
    return;
  }
  let lastExclusive: readonly number[] = [];
  let sharedSince: number[] = [];
  let count = 0;
  for (let link = core.firstInQueue(queue); link !== 0; link = core.nextInQueue(link)) {
    const set = core.setOf(link);
    const isExclusive = core.isExclusive(link);
    if (!core.isGranted(set) && !core.isIgnored(link)) {
      const nearest = isExclusive && sharedSince.length > 0 ? sharedSince : lastExclusive;
      addBlockers(blockers, set, nearest);
    }
    if (isExclusive) {
      lastExclusive = [reader.idOf(set)];
      sharedSince = [];
    } else {
      sharedSince.push(reader.idOf(set));
    }
    if (++count % itemsPerStep === 0) yield;
  }
}

/**
 * The same with a capacity: the first set that does not fit waits for all that hold units, or are
 * ahead of it and fit; each later one waits for the set ahead of it.
 */
function* blockersOfUnits(reader: CoreReader, queue: number, blockers: Blockers): Generator<void> {
  const { core } = reader;
  const ahead: number[] = [];
  let nearest: readonly number[] | undefined;
  let count = 0;
  for (let link = core.firstInQueue(queue); link !== 0; link = core.nextInQueue(link)) {
    const set = core.setOf(link);
    const id = reader.idOf(set);
    const isWaiting = !core.isTriggered(link) && !core.isGranted(set);
    if (isWaiting && !core.isIgnored(link)) addBlockers(blockers, set, nearest ?? [...ahead]);
    if (isWaiting) nearest = [id];
    else ahead.push(id);
    if (++count % itemsPerStep === 0) yield;
  }
}

function addBlockers(blockers: Blockers, set: number, nearest: readonly number[]): void {
  const before = blockers[set >> 3];
  // Shared arrays: neither of them changes from here on.
  blockers[set >> 3] = before === undefined ? nearest : [...before, ...nearest];
}
