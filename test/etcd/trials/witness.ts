/**
 * Somebody who follows the log from the members themselves, past all bad networks, and notes what
 * the clients' own notes are judged by: at which revision each session and each set was over, and
 * whether each guarded write came while its grant lived.
 */

import { systemClock } from '../../../src/event-loop/clock.ts';
import { eventIn, type Json, listIn } from '../../../src/hosts/etcd/calls.ts';
import { EtcdConnection, type Listener, type Stream } from '../../../src/hosts/etcd/connection.ts';
import { placesMax } from '../../../src/hosts/etcd/entries.ts';
import { Keys } from '../../../src/hosts/etcd/keys.ts';
import { Log } from '../../../src/hosts/etcd/log.ts';
import { type News, Replica } from '../../../src/hosts/etcd/replica.ts';

const attemptMs = 500;

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

export class Witness {
  readonly replica: Replica;
  readonly log: Log;
  readonly faults: string[] = [];
  /** Guarded writes that were seen to have come in time. */
  writeCount = 0;
  sessionsLostCount = 0;
  readonly #connection: TappedConnection;
  readonly #keys: Keys;
  /** By session. */
  readonly #sessionEnds = new Map<string, number>();
  /** Guarded writes by revision: the keys of the sets under whose grants they came. */
  readonly #writes = new Map<number, string[]>();
  readonly #sessions = new Set<string>();
  #tokenLast = 0;

  private constructor(members: readonly string[], name: string) {
    this.#keys = new Keys(name);
    this.replica = new Replica(this.#keys);
    const urls = members.map((member) => new URL(member));
    this.#connection = new TappedConnection({ urls }, attemptMs, systemClock, Math.random);
    this.#connection.onMessage = (message) => this.#noteWrites(message);
    this.log = new Log(this.replica, this.#connection, this.#keys.prefix, systemClock, {
      onStep: (news) => this.#note(news),
      onUnreadable: (error) => this.faults.push(`the log cannot be read: ${error}`),
    });
  }

  static async of(members: readonly string[], name: string): Promise<Witness> {
    const witness = new Witness(members, name);
    await witness.log.open();
    return witness;
  }

  /**
   * Whether the session of a set was over before a grant with that token was made. Sessions end by
   * their own clients' word, too: then nothing of theirs is held any more.
   */
  wasLostBefore(key: string, laterToken: number): boolean {
    const session = this.#keys.partsOfSet(key)?.session ?? '';
    const endRevision = this.#sessionEnds.get(session) ?? Number.POSITIVE_INFINITY;
    return endRevision <= Math.floor(laterToken / placesMax);
  }

  close(): void {
    this.log.close();
    this.#connection.close();
  }

  #noteWrites({ result }: Json): void {
    for (const json of listIn((result ?? {}) as Json, 'events')) {
      const { key, value, revision, isDelete } = eventIn(json);
      if (isDelete || !key.startsWith(`${this.#keys.prefix}x/`)) continue;
      this.#writes.set(revision, [...(this.#writes.get(revision) ?? []), value]);
    }
  }

  #note({ granted }: News): void {
    const { revision, sets, sessions } = this.replica;
    for (const session of this.#sessions) {
      if (sessions.has(session)) continue;
      this.#sessions.delete(session);
      this.#sessionEnds.set(session, revision);
      this.sessionsLostCount++;
    }
    for (const session of sessions.keys()) this.#sessions.add(session);
    for (const key of this.#writes.get(revision) ?? []) {
      const live = sets.get(key);
      const isHeld = live?.isGranted === true && !this.replica.isDead(live);
      if (isHeld) this.writeCount++;
      else this.faults.push(`a write at ${revision} came under ${key}, which was not held`);
    }
    this.#writes.delete(revision);
    for (const { token, key } of granted) {
      if (token <= this.#tokenLast) this.faults.push(`${key} has the old token ${token}`);
      this.#tokenLast = token;
    }
  }
}
