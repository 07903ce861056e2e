/** A copy of the state, fed by hand with what a watch may tell. */

import { describe, expect, it } from 'vitest';
import { burialOf } from '../../src/hosts/etcd/batch.ts';
import type { LogEvent } from '../../src/hosts/etcd/calls.ts';
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

  /** The next transaction is told of, with what it puts. */
  transact(puts: Readonly<Record<string, object>>): News {
    this.#revision++;
    const told = (key: string, value: string, version: number): LogEvent => {
      const revision = this.#revision;
      return { key, value, version, isDelete: false, createRevision: revision, revision };
    };
    const sets = Object.entries(puts).map(([key, entry]) => told(key, JSON.stringify(entry), 1));
    return this.replica.apply(this.#revision, [told(keys.chain, '{}', this.#revision), ...sets]);
  }

  leaveOut(): void {
    this.#revision++;
  }
}
