/** A copy of the state, fed by hand with what a watch may tell. */

import { describe, expect, it } from 'vitest';
import { removalOf } from '../../src/backends/etcd/batch.ts';
import type { LogEvent } from '../../src/backends/etcd/calls.ts';
import { writeEntry } from '../../src/backends/etcd/entries.ts';
import { Keys } from '../../src/backends/etcd/keys.ts';
import { Replica, type ReplicaDelta } from '../../src/backends/etcd/replica.ts';
import { snapshotOfReplica } from '../../src/backends/etcd/snapshot.ts';
import { systemClock } from '../../src/runtime/clock.ts';

const keys = new Keys('by hand');
const set = { parts: [['a', 'all']], at: 0, since: 0 };

describe('a copy of the state', () => {
  it('is not changed by a transaction that does not follow the last one', () => {
    const copy = new Copy();
    copy.transact({ [keys.set('1', 1)]: set });
    const before = copy.replica.digest();
    copy.leaveOut();
    expect(() => copy.transact({ [keys.set('1', 2)]: set })).toThrow(/after transaction 1 etcd/);
    expect([copy.replica.digest(), copy.replica.revision]).toEqual([before, 1]);
  });

  it('is not changed by a transaction without the end of a set that it knows', () => {
    const copy = new Copy();
    const [one, two] = [keys.set('1', 1), keys.set('1', 2)];
    copy.transact({ [one]: set });
    copy.transact({}, [two]);
    const before = copy.replica.digest();
    expect(() => copy.transact({ [two]: set }, [one])).toThrow('a part of transaction 3');
    expect([copy.replica.digest(), copy.replica.revision]).toEqual([before, 2]);
  });

  it('knows of one that is revoked that it was held, so that it is put away with its flag', () => {
    const copy = new Copy();
    copy.transact({ [keys.set('1', 1)]: set });
    const { revoked, granted } = copy.transact({ [keys.set('2', 1)]: { ...set, steal: true } });
    expect(granted.map(({ session }) => session)).toEqual(['2']);
    const [victim] = revoked;
    expect(victim?.isGranted).toBe(false);
    // The flag, and the end of its key.
    expect(victim && removalOf(keys, victim, copy.replica.state)).toHaveLength(2);
  });

  it('that is read together with a steal reports what was held when that came', () => {
    const [holder, waiter, later] = [keys.set('1', 1), keys.set('2', 1), keys.set('4', 1)];
    const items = [holder, waiter, keys.set('3', 1), later].map((key, index) => {
      const revision = index + 1;
      const value = JSON.stringify(index === 2 ? { ...set, steal: true } : set);
      return { key, value, createRevision: revision, modRevision: revision, version: 1 };
    });
    const replica = new Replica(keys, systemClock, (session) => session === '3');
    const { granted, revoked, gaveWay } = replica.reset(items, 4);
    expect(granted.map(({ session }) => session)).toEqual(['3']);
    expect(revoked).toEqual([]);
    expect(gaveWay.map(({ session }) => session)).toEqual(['1']);
  });

  it('reports all sets that one revision grants, also those that share a token', async () => {
    const copy = new Copy();
    const writer = keys.set('1', 1);
    copy.transact({ [writer]: set });
    const readers = Array.from({ length: 1000 }, (_, at) => [
      keys.set('2', at + 1),
      { ...set, parts: [['a', 1]], at },
    ]);
    copy.transact(Object.fromEntries(readers));
    expect((await snapshotOfReplica(copy.replica)).pending).toHaveLength(1000);
    expect(copy.end(writer).granted).toHaveLength(1000);
    const { held, pending } = await snapshotOfReplica(copy.replica);
    expect([held.length, pending]).toEqual([1000, []]);
    expect(new Set(held.map(({ token }) => token)).size).toBeLessThan(1000);
    expect(new Set(held.map(({ id }) => id)).size).toBe(1000);
  });
});

class Copy {
  readonly replica = new Replica(keys, systemClock);
  #revision = 0;

  /** The next transaction is told of, with what it puts, and not with what it deletes. */
  transact(puts: Readonly<Record<string, object>>, deleted: readonly string[] = []): ReplicaDelta {
    this.#revision++;
    const sets = Object.entries(puts).map(([key, entry]) => this.#put(key, JSON.stringify(entry)));
    return this.#apply(sets, sets.length, deleted);
  }

  /** It deletes this, and that is told too. */
  end(key: string): ReplicaDelta {
    this.#revision++;
    const event = { ...this.#put(key, ''), version: 0, isDelete: true };
    return this.#apply([event], 0, [key]);
  }

  #apply(events: readonly LogEvent[], putCount: number, deleted: readonly string[]): ReplicaDelta {
    const entry = writeEntry({ putCount, deleted });
    const link = { ...this.#put(keys.chain, entry), version: this.#revision };
    return this.replica.apply(this.#revision, [link, ...events]);
  }

  #put(key: string, value: string): LogEvent {
    const revision = this.#revision;
    return { key, value, version: 1, isDelete: false, createRevision: revision, revision };
  }

  leaveOut(): void {
    this.#revision++;
  }
}
