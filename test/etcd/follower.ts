/** Somebody who follows the log of a domain with the host's own code, and does nothing else. */

import {
  eventIn,
  type Json,
  type KeyValue,
  listIn,
  prefixRange,
  rangeIn,
} from '../../src/backends/etcd/calls.ts';
import { EtcdConnection } from '../../src/backends/etcd/connection.ts';
import { httpMembers } from '../../src/backends/etcd/http-member.ts';
import { Keys } from '../../src/backends/etcd/keys.ts';
import { Log } from '../../src/backends/etcd/log.ts';
import { Replica, type ReplicaDelta } from '../../src/backends/etcd/replica.ts';
import { systemClock } from '../../src/runtime/clock.ts';

const callMs = 10_000;

function connectTo(hosts: readonly string[]): EtcdConnection {
  const members = httpMembers(hosts.map((host) => new URL(host)));
  const attemptMs = callMs;
  return new EtcdConnection({ members, attemptMs, clock: systemClock, random: Math.random });
}

/** What grants follow from, and who is there. */
function digestOf(replica: Replica): string {
  return `${replica.digest()} ${[...replica.sessions.keys()].sort()}`;
}

export class Follower {
  readonly replica: Replica;
  readonly log: Log;
  readonly keys: Keys;
  readonly connection: EtcdConnection;
  /** What the copy was at each revision. */
  readonly digests = new Map<number, string>();
  /** Steps, as they came. */
  readonly news: ReplicaDelta[] = [];
  /** Tokens as they were given: a revoked set that its client has not deleted may get another. */
  readonly tokens: number[] = [];
  /** Told of each step. */
  onNews: (news: ReplicaDelta) => void = () => undefined;
  unreadable: unknown;

  private constructor(hosts: readonly string[], name: string) {
    this.keys = new Keys(name);
    this.replica = new Replica(this.keys, systemClock);
    this.connection = connectTo(hosts);
    this.log = new Log(this.replica, this.connection, this.keys, systemClock, {
      onStep: (news) => {
        this.digests.set(this.replica.revision, digestOf(this.replica));
        this.news.push(news);
        this.tokens.push(...news.granted.map(({ token }) => token));
        this.onNews(news);
      },
      onUnreadable: (error) => {
        this.unreadable = error;
      },
    });
  }

  static async of(hosts: readonly string[], name: string): Promise<Follower> {
    const follower = new Follower(hosts, name);
    await follower.log.open();
    return follower;
  }

  /** The keys as they were at a revision. */
  async keysAt(revision: number): Promise<readonly KeyValue[]> {
    const range = { ...prefixRange(this.keys.prefix), revision };
    return rangeIn(await this.connection.call('/v3/kv/range', range, callMs)).items;
  }

  /** Those that etcd has of the domain's keys, up to where this one is. */
  async revisionsTold(): Promise<readonly number[]> {
    const revisions = new Set<number>();
    const body = { create_request: { ...prefixRange(this.keys.prefix), start_revision: 1 } };
    await new Promise<void>((resolve, reject) => {
      const stream = this.connection.stream('/v3/watch', body, {
        onEnd: reject,
        onMessage: ({ result }) => {
          const events = listIn((result ?? {}) as Json, 'events').map(eventIn);
          for (const { revision } of events) revisions.add(revision);
          if (!revisions.has(this.replica.revision)) return;
          stream.close();
          resolve();
        },
      });
    });
    return [...revisions];
  }

  /** What somebody who comes at that revision, and has only the keys, makes of them. */
  async digestOfNewcomerAt(revision: number): Promise<string> {
    const replica = new Replica(this.keys, systemClock);
    replica.reset(await this.keysAt(revision), revision);
    return digestOf(replica);
  }

  close(): void {
    this.log.close();
    this.connection.close();
  }
}
