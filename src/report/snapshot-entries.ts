/**
 * A snapshot is made in two steps. First the state of one moment is copied, as it is in memory (see
 * {@link SetsInView.copy}): that stops the domain for some 20 ns a set and link. Then entries are
 * made of the copy. That takes many times as long, and need not be done at once, as nothing changes
 * any more.
 */

import type { SnapshotEntry } from '../api/snapshot.ts';
import { itemsPerStep, mapInSteps } from '../runtime/slices.ts';
import { namesOf } from './blockers.ts';
import type { SetsInView } from './core-reader.ts';
import { inSnapshotOrder } from './snapshot-order.ts';

/** So much of memory is looked through in a step. */
const wordsPerStep = 2 ** 14;

/**
 * Makes the entries of sets that do not change meanwhile, each with what `finish` adds to it.
 * Yields where it may be interrupted.
 */
export function* entriesOf<E extends SnapshotEntry>(
  view: SetsInView,
  finish: (entry: SnapshotEntry, set: number) => E,
): ReturnType<typeof inSnapshotOrder<E>> {
  const sets = yield* setsOf(view);
  const blockers = yield* blockersOf(view, sets);
  const toEntry = entryMaker(view);
  const entries = yield* mapInSteps(sets, (set) => finish(toEntry(set, blockers[set >> 3]), set));
  return yield* inSnapshotOrder(entries);
}

function* setsOf({ core }: SetsInView): Generator<void, number[]> {
  const sets: number[] = [];
  const wordCount = core.memory.words.length;
  for (let from = 0; from < wordCount; from += wordsPerStep) {
    sets.push(...core.sets(from, Math.min(from + wordsPerStep, wordCount)));
    yield;
  }
  return sets;
}

function entryMaker(view: SetsInView) {
  const { core, clock } = view;
  // A name may have to be read letter by letter.
  const names = new Map<number, string>();
  const nameOf = (queue: number): string => {
    const known = names.get(queue);
    if (known !== undefined) return known;
    const name = view.nameOf(queue);
    names.set(queue, name);
    return name;
  };
  const named = { core, nameOf };
  return (set: number, blockers: readonly number[] = []): SnapshotEntry => ({
    id: view.idOf(set),
    set: namesOf(named, set),
    label: view.labelOf(set),
    session: view.sessionLabelOf(set),
    token: core.isGranted(set) ? view.tokenOf(set) : undefined,
    since: clock.toEpochMs(view.sinceOf(set)),
    waitingFor: blockers.length < 2 ? blockers : [...new Set(blockers)].sort((a, b) => a - b),
  });
}

type Blockers = (readonly number[] | undefined)[];

/** For each waiting set, by its slot, the ids of the nearest ones in its way. */
function* blockersOf(view: SetsInView, sets: readonly number[]): Generator<void, Blockers> {
  const { core } = view;
  // By slot, which is eight words long.
  const slotCount = core.memory.words.length >> 3;
  const blockers: Blockers = new Array(slotCount);
  const isSeen = new Uint8Array(slotCount);
  let count = 0;
  for (const set of sets) {
    for (let link = core.firstLink(set); link !== 0; link = core.nextLink(link)) {
      const queue = core.resourceOf(link);
      if (isSeen[queue >> 3] === 1) continue;
      isSeen[queue >> 3] = 1;
      yield* blockersIn(view, queue, blockers);
    }
    if (++count % itemsPerStep === 0) yield;
  }
  return blockers;
}

/** One walk through a queue. */
function* blockersIn(view: SetsInView, queue: number, blockers: Blockers): Generator<void> {
  const { core } = view;
  let lastExclusive: readonly number[] = [];
  let sharedSince: number[] = [];
  let count = 0;
  for (let link = core.firstInQueue(queue); link !== 0; link = core.nextInQueue(link)) {
    const set = core.setOf(link);
    const isExclusive = core.isExclusive(link);
    if (!core.isGranted(set) && !core.isIgnored(link)) {
      const nearest = isExclusive && sharedSince.length > 0 ? sharedSince : lastExclusive;
      const before = blockers[set >> 3];
      // Neither of the two changes any more.
      blockers[set >> 3] = before === undefined ? nearest : [...before, ...nearest];
    }
    if (isExclusive) {
      lastExclusive = [view.idOf(set)];
      sharedSince = [];
    } else {
      sharedSince.push(view.idOf(set));
    }
    if (++count % itemsPerStep === 0) yield;
  }
}
