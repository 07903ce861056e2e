/**
 * Somebody who follows the log from the members themselves, past all bad networks, and notes what
 * the clients' own notes are judged by: at which revision each session was over, who was granted
 * what, by what token, and what it took over from the dead; whether each guarded write came while
 * its grant lived; and whether what the dead held exclusive was flagged before it was given on.
 *
 * Where the log could not be followed, and the keys were read anew, it says nothing of what was
 * granted or put away meanwhile.
 */

import { wholesIn } from '../../../src/api/mode.ts';
import { eventIn, type Json, listIn } from '../../../src/backends/etcd/calls.ts';
import {
  EtcdConnection,
  type Listener,
  type Stream,
} from '../../../src/backends/etcd/connection.ts';
import { ordinalsMax } from '../../../src/backends/etcd/entries.ts';
import { httpMembers } from '../../../src/backends/etcd/http-member.ts';
import { encodeResource, Keys } from '../../../src/backends/etcd/keys.ts';
import type { LiveSet } from '../../../src/backends/etcd/live-set.ts';
import { Log } from '../../../src/backends/etcd/log.ts';
import { Replica, type ReplicaDelta } from '../../../src/backends/etcd/replica.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { isCertain } from '../noted-states.ts';
import { hashOf, type ReportedGrant } from './reported.ts';

const attemptMs = 500;

/** Knows whether its last step was one of many. */
class MonitorReplica extends Replica {
  isAnew = true;

  override reset(...args: Parameters<Replica['reset']>): ReplicaDelta {
    this.isAnew = true;
    return super.reset(...args);
  }

  override apply(...args: Parameters<Replica['apply']>): ReplicaDelta {
    this.isAnew = false;
    return super.apply(...args);
  }
}

/** What the replica passes over, as it is no set, is seen here. */
class TappedConnection extends EtcdConnection {
  onMessage: (message: Json) => void = () => undefined;

  override stream(path: string, body: object, listener: Listener): Stream {
    return super.stream(path, body, {
      onEnd: (reason) => listener.onEnd(reason),
      onMessage: (message) => {
        this.onMessage(message);
        listener.onMessage(message);
      },
    });
  }
}

interface SeenGrant {
  readonly token: number;
  readonly recovered: readonly string[];
  readonly createRevision: number;
}

export class Monitor {
  readonly replica: MonitorReplica;
  readonly log: Log;
  readonly keys: Keys;
  readonly faults: string[] = [];
  /** Guarded writes that were seen to have come in time. */
  writeCount = 0;
  sessionsLostCount = 0;
  /** Sets of the dead that were put away, with their flags. */
  reapedCount = 0;
  /** From the end of a session to that of its last set, at most, in ms. */
  reapMsMax = 0;
  /** What the copy was at each revision, by {@link hashOf}. */
  readonly digests = new Map<number, string>();
  readonly #connection: TappedConnection;
  /** By session. */
  readonly #sessionEnds = new Map<string, number>();
  /** Guarded writes by revision: the keys of the sets under whose grants they came. */
  readonly #writes = new Map<number, string[]>();
  readonly #sessions = new Set<string>();
  /** By session: when its end was seen, by performance.now(). */
  readonly #endedMs = new Map<string, number>();
  readonly #granted = new Map<string, SeenGrant>();
  /** Sets that were gone before they were granted, and the revisions at which they came. */
  readonly #neverGranted = new Map<string, number>();
  #tokenLast = 0;

  private constructor(members: readonly string[], name: string) {
    this.keys = new Keys(name);
    this.replica = new MonitorReplica(this.keys, systemClock);
    this.#connection = new TappedConnection({
      members: httpMembers(members.map((member) => new URL(member))),
      attemptMs,
      clock: systemClock,
      random: Math.random,
    });
    this.#connection.onMessage = (message) => this.#noteWrites(message);
    this.log = new Log(this.replica, this.#connection, this.keys, systemClock, {
      onStep: (news) => this.#note(news),
      onUnreadable: (error) => this.faults.push(`the log cannot be read: ${error}`),
    });
  }

  static async of(members: readonly string[], name: string): Promise<Monitor> {
    const monitor = new Monitor(members, name);
    await monitor.log.open();
    return monitor;
  }

  /**
   * Whether the session of a set was over before a grant with that token was made. Sessions end by
   * their own clients' word, too: then nothing of theirs is held any more.
   */
  wasLostBefore(key: string, laterToken: number): boolean {
    const session = this.keys.partsOfSet(key)?.session ?? '';
    const endRevision = this.#sessionEnds.get(session) ?? Number.POSITIVE_INFINITY;
    return endRevision <= revisionOf(laterToken);
  }

  /** When a session whose name begins so was seen to be over; undefined if it was not. */
  sessionEndMs(start: string): number | undefined {
    return [...this.#endedMs].find(([session]) => session.startsWith(start))?.[1];
  }

  /** The fault in a grant as its client received it, if there is one. */
  judge({ key, token, recovered }: ReportedGrant): string | undefined {
    const granted = this.#granted.get(key);
    const createRevision = granted?.createRevision ?? this.#neverGranted.get(key);
    // Not seen; or seen is what a late copy of its request has made of it, after its end.
    if (createRevision === undefined || createRevision > revisionOf(token)) return undefined;
    if (granted === undefined) return `${key} was reported as granted, and never was`;
    // Of those that one revision grants, one that has read the keys anew may count fewer.
    const late = revisionOf(token) - revisionOf(granted.token);
    if (late < 0) return `${key} was reported as granted ${-late} revisions before its turn`;
    const isSame = String([...recovered].sort()) === String(granted.recovered);
    // A client whose watch was away hears later of it, and of what has been recovered since.
    if (isSame || late > 0) return undefined;
    return `${key} was reported with ${recovered} recovered, not ${granted.recovered}`;
  }

  close(): void {
    this.log.close();
    this.#connection.close();
  }

  #noteWrites({ result }: Json): void {
    for (const json of listIn((result ?? {}) as Json, 'events')) {
      const { key, value, revision, isDelete } = eventIn(json);
      if (isDelete || !key.startsWith(`${this.keys.prefix}x/`)) continue;
      this.#writes.set(revision, [...(this.#writes.get(revision) ?? []), value]);
    }
  }

  #note({ granted, removed }: ReplicaDelta): void {
    const { revision, sets, sessions, isAnew } = this.replica;
    if (isCertain(this.replica)) this.digests.set(revision, hashOf(this.replica.digest()));
    for (const session of this.#sessions) {
      if (sessions.has(session)) continue;
      this.#sessions.delete(session);
      this.#sessionEnds.set(session, revision);
      this.#endedMs.set(session, performance.now());
      this.sessionsLostCount++;
    }
    for (const session of sessions.keys()) this.#sessions.add(session);
    for (const key of this.#writes.get(revision) ?? []) {
      const live = sets.get(key);
      const isHeld = live?.isGranted === true && !this.replica.isExpired(live);
      if (isHeld) this.writeCount++;
      else this.faults.push(`a write at ${revision} came under ${key}, which was not held`);
    }
    this.#writes.delete(revision);
    for (const live of granted) this.#noteGrant(live, isAnew);
    if (!isAnew) for (const live of removed) this.#noteGone(live);
  }

  #noteGrant({ token, key, session, entry, createRevision }: LiveSet, isAnew: boolean): void {
    // Of grants that were made while the log could not be followed it has only a lower bound.
    if (isAnew) return;
    if (token <= this.#tokenLast) this.faults.push(`${key} has the old token ${token}`);
    this.#tokenLast = token;
    if (this.#granted.has(key)) return;
    const names = entry.parts.map(({ resource }) => String(resource));
    const { flags } = this.replica;
    const recovered = names.filter((each) => flags.has(encodeResource(each, session))).sort();
    this.#granted.set(key, { token, recovered, createRevision });
  }

  #noteGone(live: LiveSet): void {
    const { key, session, entry, isGranted, createRevision } = live;
    if (!isGranted) this.#neverGranted.set(key, createRevision);
    const endedMs = this.#endedMs.get(session);
    if (endedMs === undefined || !this.replica.isExpired(live)) return;
    this.reapedCount++;
    this.reapMsMax = Math.max(this.reapMsMax, performance.now() - endedMs);
    const granted = this.#granted.get(key);
    // A late copy of its request has made it again; or it was dead before it was granted.
    if (granted?.createRevision !== createRevision) return;
    if (revisionOf(granted.token) > (this.#sessionEnds.get(session) ?? 0)) return;
    for (const ref of wholesIn(entry.parts)) {
      if (this.replica.flags.has(encodeResource(ref, session))) continue;
      this.faults.push(`what ${key} held of ${ref} was given on without a flag`);
    }
  }
}

/** At which a grant was made that has this token. */
function revisionOf(token: number): number {
  return Math.floor(token / ordinalsMax);
}
