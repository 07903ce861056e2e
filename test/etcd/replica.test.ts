/** A copy of the state, fed by hand with what a watch may tell. */

import { describe, expect, it } from 'vitest';
import { burialOf } from '../../src/hosts/etcd/batch.ts';
import type { LogEvent } from '../../src/hosts/etcd/calls.ts';
import { writeEntry } from '../../src/hosts/etcd/entries.ts';
import { Keys } from '../../src/hosts/etcd/keys.ts';
import { type News, Replica } from '../../src/hosts/etcd/replica.ts';

const keys = new Keys('by hand');
const set = { exclusive: ['a'], shared: [], at: 0, since: 0 };

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

  it('knows of one that is robbed that it was held, so that it is put away with its mark', () => {
    const copy = new Copy();
    copy.transact({ [keys.set('1', 1)]: set });
    const { robbed, granted } = copy.transact({ [keys.set('2', 1)]: { ...set, steal: true } });
    expect(granted.map(({ session }) => session)).toEqual(['2']);
    const [victim] = robbed;
    expect(victim?.isGranted).toBe(false);
    // The mark, and the end of its key.
    expect(victim && burialOf(keys, victim)).toHaveLength(2);
  });
});

class Copy {
  readonly replica = new Replica(keys);
  #revision = 0;

  /** The next transaction is told of, with what it puts, and not with what it deletes. */
  transact(puts: Readonly<Record<string, object>>, deleted: readonly string[] = []): News {
    this.#revision++;
    const told = (key: string, value: string, version: number): LogEvent => {
      const revision = this.#revision;
      return { key, value, version, isDelete: false, createRevision: revision, revision };
    };
    const sets = Object.entries(puts).map(([key, entry]) => told(key, JSON.stringify(entry), 1));
    const entry = writeEntry({ putCount: sets.length, deleted });
    const link = told(keys.chain, entry, this.#revision);
    return this.replica.apply(this.#revision, [link, ...sets]);
  }

  leaveOut(): void {
    this.#revision++;
  }
}
