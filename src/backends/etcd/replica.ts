/**
 * A client's copy of the domain: the live keys, and what follows from them.
 *
 * Whatever the client is to know is a function of the live keys: it can begin with them as they are
 * at one revision, or follow the log from revision to revision, and comes to the same. (Not so the
 * token and the time of a grant that was waited for: who came later knows a lower bound.)
 *
 * All events of one revision are one step. First all that goes is taken away, the last to come
 * first, so that none of them is granted what another one leaves; then sets weaken; then the new
 * ones arrive. Who is granted by that is told when the step is complete.
 */

import type { DeadlockStep } from '../../api/errors.ts';
import { cycleOf } from '../../report/blockers.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { KeyValue, LogEvent } from './calls.ts';
import { Fold } from './derived-state.ts';
import { readLink, readSession, readSet, type SessionEntry, strange } from './entries.ts';
import type { Keys } from './keys.ts';
import { byArrival, LiveSet, tokenOfWaiter } from './live-set.ts';

/** Something that should have been told was not: what is known is of the past, but right. */
class LogGap extends Error {}

export interface LiveSession {
  readonly createRevision: number;
  readonly entry: SessionEntry;
}

/** What a step has come to. */
export interface News {
  /** In arrival order. */
  readonly granted: readonly LiveSet[];
  /** They were held, and are not any more, as a thief has come; their keys are there still. */
  readonly robbed: readonly LiveSet[];
  /** Their keys are gone. */
  readonly gone: readonly LiveSet[];
  readonly born: readonly LiveSet[];
  /** They want, or hold, less than before. */
  readonly changed: readonly LiveSet[];
  /** Those that would wait for ever, for what their own client keeps. */
  readonly circles: readonly Circle[];
  /** Somebody may have left sets behind. */
  readonly haveSessionsEnded: boolean;
}

export interface Circle {
  readonly live: LiveSet;
  readonly message: string;
  readonly steps: readonly DeadlockStep[];
}

export class Replica {
  /** All up to this one is known, but for what a watch has left out. */
  revision = 0;
  /** At which it was last made from all keys, and so was complete. */
  resetRevision = 0;
  /** Of the last theft; 0 if there has been none. */
  theftRevision = 0;
  /** Of the last transaction that the chain counts; 0 if there is no chain. */
  chainRevision = 0;
  readonly fold: Fold;
  /** By key. */
  readonly sets = new Map<string, LiveSet>();
  /** By their names, as in their keys. */
  readonly sessions = new Map<string, LiveSession>();
  /** Resources as in their keys. */
  readonly marks = new Set<string>();
  readonly #keys = new Set<string>();
  readonly #layout: Keys;
  readonly #clock: Clock;
  readonly #isOwn: (session: string) => boolean;
  /** How many transactions the chain has counted. */
  #chainLength = 0;
  /** Whether there may have been deletions that no chain counts (see batch.ts, `uncounted`). */
  #hasUncounted = false;

  /** `isOwn`: whether the sets of a session are those of whoever keeps this copy. */
  constructor(layout: Keys, clock: Clock, isOwn: (session: string) => boolean = () => false) {
    this.fold = new Fold(clock);
    this.#layout = layout;
    this.#clock = clock;
    this.#isOwn = isOwn;
  }

  /** Begins with the keys as they are at a revision. @throws ProtocolError, LimitError */
  reset(items: readonly KeyValue[], revision: number): News {
    const before = new Map(this.sets);
    const born: LiveSet[] = [];
    const changed: LiveSet[] = [];
    this.revision = revision;
    this.resetRevision = revision;
    this.theftRevision = 0;
    this.chainRevision = 0;
    this.#chainLength = 0;
    for (const known of [this.sets, this.sessions, this.marks, this.#keys]) known.clear();
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
        if (known.modRevision !== modRevision) changed.push(known);
        known.entry = live.entry;
        known.modRevision = modRevision;
        before.delete(key);
        this.sets.set(key, known);
      } else {
        born.push(live);
        this.sets.set(key, live);
      }
    }
    this.#hasUncounted = items.length > 0 && this.#chainLength === 0;
    return this.#rebuild({ born, gone: [...before.values()], changed, haveSessionsEnded: true });
  }

  /**
   * Goes on to the next revision that has anything to tell.
   *
   * @throws LogGap, and nothing is changed, if it is not the next; ProtocolError, LimitError
   */
  apply(revision: number, events: readonly LogEvent[]): News {
    this.#checkChain(events);
    this.revision = revision;
    const born: LiveSet[] = [];
    const gone: LiveSet[] = [];
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
        born.push(this.#read(key, event.value, event.createRevision, revision));
      } else if (live !== undefined) {
        if (isDelete) gone.push(live);
        else changes.push({ live, event });
      }
    }
    const changed = changes.map(({ live }) => live);
    for (const { key } of gone) this.sets.delete(key);
    for (const live of born.sort(byArrival)) this.sets.set(live.key, live);
    if (born.some(({ entry }) => entry.steal)) {
      for (const { live, event } of changes) this.#weaken(live, event, false);
      return this.#rebuild({ born, gone, changed, haveSessionsEnded });
    }
    this.fold.removeAll(gone.sort(byArrival).reverse());
    for (const { live, event } of changes) this.#weaken(live, event, true);
    for (const live of born) this.fold.add(live);
    const circles = born.flatMap((live) => this.#cycleOf(live));
    const waited = this.fold.takeGranted();
    const atOnce = born.filter((live) => this.fold.isGranted(live));
    // Who waited has come earlier.
    const granted = [...waited, ...atOnce];
    this.#grant(waited, atOnce);
    this.fold.dropIdle();
    return { granted, robbed: [], gone, born, changed, circles, haveSessionsEnded };
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

  isDead({ session }: LiveSet): boolean {
    return !this.sessions.has(session);
  }

  /** All that decides who is granted what, and what of it is told, as text. */
  digest(): string {
    const sets = [...this.sets.values()].sort(byArrival).map((live) => ({
      id: live.id,
      key: live.key,
      isGranted: live.isGranted,
      exclusive: [...live.entry.exclusive].sort(),
      shared: [...live.entry.shared].sort(),
    }));
    return JSON.stringify({ sets, marks: [...this.marks].sort() });
  }

  #rebuild(known: Omit<News, 'granted' | 'robbed' | 'circles'>): News {
    this.fold.rebuild(this.sets.values());
    this.fold.takeGranted();
    const bornSets = new Set(known.born);
    const waited: LiveSet[] = [];
    const atOnce: LiveSet[] = [];
    const robbed: LiveSet[] = [];
    for (const live of [...this.sets.values()].sort(byArrival)) {
      const isGranted = this.fold.isGranted(live);
      if (isGranted && !live.isGranted)
        (this.#isAtOnce(live, bornSets) ? atOnce : waited).push(live);
      if (live.isGranted && !isGranted) robbed.push(live);
    }
    for (const live of robbed) {
      live.isGranted = false;
      live.isRobbed = true;
    }
    const waiting = [...this.sets.values()].sort(byArrival);
    const circles = waiting.flatMap((live) => {
      const circle = this.#cycleOf(live);
      return bornSets.has(live) ? circle : [];
    });
    this.#grant(waited, atOnce);
    const granted = [...waited, ...atOnce].sort(byArrival);
    return { ...known, granted, robbed, circles };
  }

  /**
   * One that was there when this copy was made anew may have waited before. Of this client's own it
   * is assumed, as the token must be no less than those of all who were before it.
   */
  #isAtOnce(live: LiveSet, born: ReadonlySet<LiveSet>): boolean {
    if (!born.has(live)) return false;
    return live.createRevision === this.revision || !this.#isOwn(live.session);
  }

  #grant(waited: readonly LiveSet[], atOnce: readonly LiveSet[]): void {
    for (const [index, live] of waited.entries()) {
      live.isGranted = true;
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
    if (isFollowed) this.fold.weaken(live, entry);
    live.entry = entry;
    live.modRevision = revision;
  }

  #cycleOf(live: LiveSet): readonly Circle[] {
    const { holding } = live.entry;
    if (holding === undefined) return [];
    const held = holding.flatMap((one) => this.sets.get(this.#keyOf(live, one)) ?? []);
    const circle = this.fold.declareHolding(live, held);
    return circle.length === 0 ? [] : [{ live, ...cycleOf(this.fold, circle, live.entry.label) }];
  }

  /** Of a set that is kept while this one waits. */
  #keyOf({ session }: LiveSet, holding: number | string): string {
    if (typeof holding === 'number') return this.#layout.set(session, holding);
    const [other = '', number] = holding.split('/');
    return this.#layout.set(other, Number(number));
  }

  /** What is no set. Of later versions there may be more, which changes nothing. */
  #put({ isDelete, key, value, createRevision, version, revision }: LogEvent): void {
    const { sessions, marks, theft, chain } = this.#layout;
    if (key.startsWith(sessions)) {
      const name = key.slice(sessions.length);
      if (isDelete) this.sessions.delete(name);
      else this.sessions.set(name, { createRevision, entry: readSession(key, value) });
    } else if (key.startsWith(marks)) {
      const name = key.slice(marks.length);
      if (isDelete) this.marks.delete(name);
      else this.marks.add(name);
    } else if (key === theft) {
      this.theftRevision = revision;
    } else if (key === chain) {
      this.#chainLength = isDelete ? 0 : version;
      this.chainRevision = isDelete ? 0 : revision;
      if (isDelete) this.#hasUncounted = true;
    }
  }

  /** Nobody is granted anything by what is only a part of the log, or of a transaction. */
  #checkChain(events: readonly LogEvent[]): void {
    const link = events.find(({ key }) => key === this.#layout.chain);
    if (link === undefined || link.isDelete) return;
    if (this.#hasUncounted) throw new LogGap('a chain begins after deletions that none counts');
    if (link.version !== this.#chainLength + 1) {
      throw new LogGap(`after transaction ${this.#chainLength} etcd tells of ${link.version}`);
    }
    const { putCount, deleted } = readLink(link.key, link.value);
    const told = new Set(events.filter(({ isDelete }) => isDelete).map(({ key }) => key));
    const isWhole =
      events.length - told.size === 1 + putCount &&
      deleted.every((key) => told.has(key) || !this.#keys.has(key));
    if (!isWhole) throw new LogGap(`etcd tells of a part of transaction ${link.version}`);
  }

  #read(key: string, value: string, createRevision: number, modRevision: number): LiveSet {
    const parts = this.#layout.partsOfSet(key);
    if (parts === undefined) throw strange(key);
    return new LiveSet(key, parts, createRevision, modRevision, readSet(key, value));
  }
}
