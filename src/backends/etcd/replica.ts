/**
 * A client's copy of the domain: the live keys, and what follows from them.
 *
 * The copy is a function of the live keys: it can begin with them as they are at one revision, or
 * follow the log from revision to revision, and comes to the same. (Not so the token and the time
 * of a grant after a wait: a copy that began later knows a lower bound.)
 *
 * All events of one revision are one step. Sets that end are removed first, the last to come first,
 * so that none of them is granted the resources of another; then sets weaken; then new ones arrive.
 * The grants of a step are reported when it is complete.
 */

import type { DeadlockStep } from '../../api/errors.ts';
import { encodeParts } from '../../api/mode.ts';
import { cycleOf } from '../../report/blockers.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { KeyValue, LogEvent } from './calls.ts';
import { DerivedState, isStolen } from './derived-state.ts';
import {
  readCapacityEntry,
  readLink,
  readSession,
  readSet,
  type SessionEntry,
  strange,
} from './entries.ts';
import type { Keys } from './keys.ts';
import { byArrival, haveCommon, LiveSet, tokenOfWaiter } from './live-set.ts';

/** The watch has left something out: the copy is of the past, but right. */
class LogGap extends Error {}

export interface LiveSession {
  readonly createRevision: number;
  readonly entry: SessionEntry;
}

/** The outcome of a step. */
export interface ReplicaDelta {
  /** In arrival order. */
  readonly granted: readonly LiveSet[];
  /** Grants that a stealing request has revoked; their keys are still there. */
  readonly revoked: readonly LiveSet[];
  /** Sets that were granted, and are not any more, as the capacity of a resource has changed. */
  readonly displaced: readonly LiveSet[];
  /** Sets that have waited for more units than there were, perhaps reported before. */
  readonly refused: readonly LiveSet[];
  /**
   * Sets that this copy read together with a stealing request of its own client that came after
   * them: as far as it can know, they were held until then.
   */
  readonly gaveWay: readonly LiveSet[];
  /** Sets whose keys were deleted. */
  readonly removed: readonly LiveSet[];
  readonly added: readonly LiveSet[];
  /** Sets that want, or hold, less than before. */
  readonly updated: readonly LiveSet[];
  /** Sets that would wait for ever, for resources that their own client holds. */
  readonly cycles: readonly Cycle[];
  /** Whether a session has ended, and may have left sets. */
  readonly haveSessionsEnded: boolean;
}

export interface Cycle {
  readonly live: LiveSet;
  readonly message: string;
  readonly steps: readonly DeadlockStep[];
}

export class Replica {
  /** The copy has all revisions up to this one, except for events that a watch has left out. */
  revision = 0;
  /** The revision at which the copy was last made from all keys, and so was complete. */
  resetRevision = 0;
  /** Of the last stealing request; 0 if there has been none. */
  stealRevision = 0;
  /** Of the last transaction that the chain counts; 0 if there is no chain. */
  chainRevision = 0;
  readonly state: DerivedState;
  /** By key. */
  readonly sets = new Map<string, LiveSet>();
  /** By their names, as in their keys. */
  readonly sessions = new Map<string, LiveSession>();
  /** Resources as in their keys. */
  readonly flags = new Set<string>();
  readonly #keys = new Set<string>();
  readonly #layout: Keys;
  readonly #clock: Clock;
  readonly #isOwn: (session: string) => boolean;
  /** How many transactions the chain has counted. */
  #chainLength = 0;
  /** Whether there may have been deletions that no chain counts (see batch.ts, `uncounted`). */
  #hasUncounted = false;

  /** `isOwn`: whether a session is that of the client which keeps this copy. */
  constructor(layout: Keys, clock: Clock, isOwn: (session: string) => boolean = () => false) {
    this.state = new DerivedState(clock);
    this.#layout = layout;
    this.#clock = clock;
    this.#isOwn = isOwn;
  }

  /** Begins with the keys as they are at a revision. @throws ProtocolError, LimitError */
  reset(items: readonly KeyValue[], revision: number): ReplicaDelta {
    const before = new Map(this.sets);
    const added: LiveSet[] = [];
    const updated: LiveSet[] = [];
    this.revision = revision;
    this.resetRevision = revision;
    this.stealRevision = 0;
    this.chainRevision = 0;
    this.#chainLength = 0;
    for (const known of [this.sets, this.sessions, this.flags, this.#keys]) known.clear();
    this.state.capacities.clear();
    for (const { key, value, createRevision, modRevision, version } of items) {
      this.#keys.add(key);
      if (!key.startsWith(this.#layout.sets)) {
        const event = { key, value, createRevision, version, revision: modRevision };
        this.#put({ ...event, isDelete: false });
        continue;
      }
      const live = this.#read(key, value, createRevision, modRevision);
      const known = before.get(key);
      if (known?.createRevision === createRevision) {
        if (known.modRevision !== modRevision) updated.push(known);
        known.entry = live.entry;
        known.modRevision = modRevision;
        before.delete(key);
        this.sets.set(key, known);
      } else {
        added.push(live);
        this.sets.set(key, live);
      }
    }
    this.#hasUncounted = items.length > 0 && this.#chainLength === 0;
    const removed = [...before.values()];
    const gaveWay = this.#gaveWay(added, removed, deletedBy(items, this.#layout));
    return this.#rebuild({ added, removed, updated, gaveWay, haveSessionsEnded: true });
  }

  /**
   * Goes on to the next revision that changes a key of the domain.
   *
   * @throws LogGap, and nothing is updated, if it is not the next; ProtocolError, LimitError
   */
  apply(revision: number, events: readonly LogEvent[]): ReplicaDelta {
    this.#checkChain(events);
    this.revision = revision;
    const added: LiveSet[] = [];
    const removed: LiveSet[] = [];
    const changes: { readonly live: LiveSet; readonly event: LogEvent }[] = [];
    let haveSessionsEnded = false;
    for (const event of events) {
      const { key, isDelete } = event;
      if (isDelete) this.#keys.delete(key);
      else this.#keys.add(key);
      if (!key.startsWith(this.#layout.sets)) {
        if (isDelete && key.startsWith(this.#layout.sessions)) haveSessionsEnded = true;
        this.#put(event);
        continue;
      }
      const live = this.sets.get(key);
      if (!isDelete && live === undefined) {
        added.push(this.#read(key, event.value, event.createRevision, revision));
      } else if (live !== undefined) {
        if (isDelete) removed.push(live);
        else changes.push({ live, event });
      }
    }
    const updated = changes.map(({ live }) => live);
    for (const { key } of removed) this.sets.delete(key);
    for (const live of added.sort(byArrival)) this.sets.set(live.key, live);
    const isFollowed = !this.state.isStale && !this.#hasStealing(added, removed);
    if (isFollowed) this.state.removeAll(removed.sort(byArrival).reverse());
    for (const { live, event } of changes) this.#weaken(live, event, isFollowed);
    if (isFollowed) for (const live of added) this.state.add(live);
    if (!isFollowed || this.state.isStale) {
      return this.#rebuild({ added, removed, updated, gaveWay: [], haveSessionsEnded });
    }
    const cycles = added.flatMap((live) => this.#cycleOf(live));
    const waited = this.state.takeGranted();
    const atOnce = added.filter((live) => this.state.isGranted(live));
    // A set that waited has come earlier.
    const granted = [...waited, ...atOnce];
    this.#grant(waited, atOnce);
    this.state.dropIdle();
    const none: readonly LiveSet[] = [];
    const refused = added.filter(({ isRefused }) => isRefused);
    const lost = { revoked: none, gaveWay: none, displaced: none, refused };
    return { granted, ...lost, removed, added, updated, cycles, haveSessionsEnded };
  }

  /** Whether a stealing set comes, or one goes that others have recorded their grants beside. */
  #hasStealing(added: readonly LiveSet[], removed: readonly LiveSet[]): boolean {
    if (added.some(({ entry }) => entry.steal === true)) return true;
    if (!removed.some(({ entry }) => entry.steal === true)) return false;
    return [...this.sets.values()].some(({ entry }) => entry.held !== undefined);
  }

  /** The revision of the oldest set that is there. */
  get oldestRevision(): number {
    let oldest = this.revision;
    for (const { createRevision } of this.sets.values()) oldest = Math.min(oldest, createRevision);
    return oldest;
  }

  /** How many keys there are. */
  get size(): number {
    return this.#keys.size;
  }

  /** How many of the sessions that are left had come by a revision. */
  sessionCountAt(revision: number): number {
    let count = 0;
    for (const { createRevision } of this.sessions.values())
      if (createRevision <= revision) count++;
    return count;
  }

  isExpired({ session }: LiveSet): boolean {
    return !this.sessions.has(session);
  }

  /** The state that decides each grant and its recovered flags, as text. */
  digest(): string {
    const sets = [...this.sets.values()].sort(byArrival).map((live) => ({
      id: live.id,
      key: live.key,
      isGranted: live.isGranted,
      parts: encodeParts(live.entry.parts).toSorted(),
      held: live.entry.held,
    }));
    const capacities = this.state.capacities.describe();
    return JSON.stringify({ sets, flags: [...this.flags].sort(), capacities });
  }

  #rebuild(
    known: Omit<ReplicaDelta, 'granted' | 'revoked' | 'displaced' | 'refused' | 'cycles'>,
  ): ReplicaDelta {
    const sorted = [...this.sets.values()].sort(byArrival);
    this.state.rebuild(sorted);
    this.state.takeGranted();
    const addedSets = new Set(known.added);
    const stealing = sorted.filter(({ entry }) => entry.steal === true);
    const waited: LiveSet[] = [];
    const atOnce: LiveSet[] = [];
    const revoked: LiveSet[] = [];
    const displaced: LiveSet[] = [];
    for (const live of sorted) {
      const isGranted = this.state.isGranted(live);
      if (isGranted && live.isDisplaced && live.entry.held !== undefined) {
        // Its holder has recorded that it holds it.
        live.isDisplaced = false;
        live.isGranted = true;
      } else if (isGranted && !live.isGranted) {
        (this.#isAtOnce(live, addedSets) ? atOnce : waited).push(live);
      }
      if (live.isGranted && !isGranted) (isStolen(live, stealing) ? revoked : displaced).push(live);
    }
    for (const live of revoked) live.isRevoked = true;
    for (const live of displaced) live.isDisplaced = true;
    for (const live of [...revoked, ...displaced]) live.isGranted = false;
    const refused = sorted.filter(({ isRefused }) => isRefused);
    const cycles = sorted.flatMap((live) => {
      const cycle = this.#cycleOf(live);
      return addedSets.has(live) ? cycle : [];
    });
    this.#grant(waited, atOnce);
    const granted = [...waited, ...atOnce].sort(byArrival);
    return { ...known, granted, revoked, displaced, refused, cycles };
  }

  /**
   * What was held before those of the added sets came that steal: by the rule without them, but
   * with those of the removed sets that the last transaction has deleted. Only the client of a
   * stealing set reports it.
   */
  #gaveWay(
    added: readonly LiveSet[],
    removed: readonly LiveSet[],
    deleted: ReadonlySet<string>,
  ): readonly LiveSet[] {
    const stealing = new Set(added.filter(({ entry }) => entry.steal === true));
    if (![...stealing].some(({ session }) => this.#isOwn(session))) return [];
    const live = [...this.sets.values()];
    const replaced = removed.filter(({ key }) => deleted.has(key));
    this.state.rebuild([...live.filter((one) => !stealing.has(one)), ...replaced]);
    for (const one of replaced) one.set = 0;
    return live.filter((one) => {
      if (!stealing.has(one) && !this.state.isGranted(one)) return false;
      return [...stealing].some((other) => other.id > one.id && haveCommon(other, one));
    });
  }

  /**
   * One that was there when this copy was made anew may have waited before. Of this client's own it
   * is assumed, as the token must be no less than those of all sets before it.
   */
  #isAtOnce(live: LiveSet, added: ReadonlySet<LiveSet>): boolean {
    if (!added.has(live)) return false;
    return live.createRevision === this.revision || !this.#isOwn(live.session);
  }

  #grant(waited: readonly LiveSet[], atOnce: readonly LiveSet[]): void {
    for (const [index, live] of waited.entries()) {
      live.isGranted = true;
      live.isDisplaced = false;
      live.token = tokenOfWaiter(this.revision, index);
      live.since = this.#clock.epochMs();
    }
    for (const live of atOnce) {
      live.isGranted = true;
      live.token = live.tokenAtArrival;
    }
  }

  #weaken(live: LiveSet, { value, revision }: LogEvent, isFollowed: boolean): void {
    const entry = readSet(live.key, value);
    if (isFollowed) this.state.update(live, entry);
    live.entry = entry;
    live.modRevision = revision;
  }

  #cycleOf(live: LiveSet): readonly Cycle[] {
    const { holding } = live.entry;
    if (holding === undefined) return [];
    const held = holding.flatMap((one) => this.sets.get(this.#keyOf(live, one)) ?? []);
    const cycle = this.state.declareHolding(live, held);
    return cycle.length === 0 ? [] : [{ live, ...cycleOf(this.state, cycle, live.entry.label) }];
  }

  /** Of a set that is kept while this one waits. */
  #keyOf({ session }: LiveSet, holding: number | string): string {
    if (typeof holding === 'number') return this.#layout.set(session, holding);
    const [other = '', number] = holding.split('/');
    return this.#layout.set(other, Number(number));
  }

  /** A key other than a set's. Keys that later versions may add are ignored. */
  #put({ isDelete, key, value, createRevision, version, revision }: LogEvent): void {
    const { sessions, flags, capacities, numbers, steal, chain } = this.#layout;
    if (key.startsWith(sessions)) {
      const name = key.slice(sessions.length);
      if (isDelete) this.sessions.delete(name);
      else this.sessions.set(name, { createRevision, entry: readSession(key, value) });
    } else if (key.startsWith(flags)) {
      const name = key.slice(flags.length);
      if (isDelete) this.flags.delete(name);
      else this.flags.add(name);
    } else if (key.startsWith(capacities)) {
      const entry = isDelete ? undefined : readCapacityEntry(key, value);
      const capacity = entry && { entry, modRevision: revision };
      const isChange = this.state.capacities.set(key.slice(capacities.length), capacity);
      if (isChange) this.state.isStale = true;
    } else if (key.startsWith(numbers)) {
      const name = key.slice(numbers.length);
      this.state.capacities.setNumbersRevision(name, isDelete ? 0 : revision);
    } else if (key === steal) {
      this.stealRevision = revision;
    } else if (key === chain) {
      this.#chainLength = isDelete ? 0 : version;
      this.chainRevision = isDelete ? 0 : revision;
      if (isDelete) this.#hasUncounted = true;
    }
  }

  /** A part of the log, or of a transaction, grants nothing. @throws LogGap */
  #checkChain(events: readonly LogEvent[]): void {
    const link = events.find(({ key }) => key === this.#layout.chain);
    if (link === undefined || link.isDelete) return;
    if (this.#hasUncounted) throw new LogGap('a chain begins after deletions that none counts');
    if (link.version !== this.#chainLength + 1) {
      throw new LogGap(`after transaction ${this.#chainLength} etcd reports ${link.version}`);
    }
    const { putCount, deleted } = readLink(link.key, link.value);
    const reported = new Set(events.filter(({ isDelete }) => isDelete).map(({ key }) => key));
    const isWhole =
      events.length - reported.size === 1 + putCount &&
      deleted.every((key) => reported.has(key) || !this.#keys.has(key));
    if (!isWhole) throw new LogGap(`etcd reports a part of transaction ${link.version}`);
  }

  #read(key: string, value: string, createRevision: number, modRevision: number): LiveSet {
    const parts = this.#layout.partsOfSet(key);
    if (parts === undefined) throw strange(key);
    return new LiveSet(key, parts, createRevision, modRevision, readSet(key, value));
  }
}

/** The keys that the last transaction has deleted, by the chain. */
function deletedBy(items: readonly KeyValue[], { chain }: Keys): ReadonlySet<string> {
  const link = items.find(({ key }) => key === chain);
  return new Set(link === undefined ? [] : readLink(chain, link.value).deleted);
}
