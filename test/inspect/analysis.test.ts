/** Texts, graphs and findings made of a snapshot. */

import { createDomain } from 'kds';
import {
  explain,
  findingsOf,
  type InspectedEntry,
  type InspectedSnapshot,
  waitGraphAsDot,
  waitGraphAsMermaid,
} from 'kds/inspect';
import { describe, expect, it } from 'vitest';
import { hostileNames, unsafe } from './hostile-names.ts';

function entry(id: number, parts: Partial<InspectedEntry>): InspectedEntry {
  return {
    id,
    set: { exclusive: [], shared: [] },
    label: undefined,
    session: undefined,
    token: undefined,
    since: 0,
    waitingFor: [],
    ...parts,
  };
}

const migration = entry(1, {
  set: { exclusive: ['db'], shared: ['config'] },
  token: 7,
  client: { number: 1, pid: 4242, command: 'npm run migrate' },
});

describe('an explanation', () => {
  it('has the holders of a resource, their times, and its queue in order', () => {
    const pending = [
      entry(2, { set: { exclusive: ['db'], shared: [] }, label: 'backup', since: 8000 }),
      entry(3, { set: { exclusive: [], shared: ['db'] }, session: 'web', waitingFor: [2] }),
    ];
    const text = explain({ held: [migration], pending }, 'db', { nowMs: 12_000 });
    expect(text.split('\n')).toEqual([
      'db is held exclusive, for 12 s, by pid 4242: npm run migrate',
      '  set: -x db -s config; token 7',
      'Queue (2 ahead of you, 1 exclusive):',
      '  1. exclusive, for 4.0 s: backup',
      '  2. shared, for 12 s: web',
    ]);
  });

  it('of a resource that is not held has the reason why the first waiter waits', () => {
    const pending = [
      entry(2, { set: { exclusive: ['db', 'disk'], shared: [] }, waitingFor: [1] }),
      entry(3, { set: { exclusive: ['disk'], shared: [] }, waitingFor: [2] }),
    ];
    const text = explain({ held: [migration], pending }, 'disk', { nowMs: 61_000 });
    expect(text.split('\n')).toEqual([
      'disk is not held',
      'Queue (2 ahead of you, 2 exclusive):',
      '  1. exclusive, for 1 m 1 s: request 2',
      '  2. exclusive, for 1 m 1 s: request 3',
      'The first in the queue also waits, through its other resources, for:',
      '  pid 4242: npm run migrate, which has held -x db -s config for 1 m 1 s',
    ]);
  });

  it('lists a few of many, and counts the rest', () => {
    const pending = Array.from({ length: 100_000 }, (_, index) =>
      entry(index + 2, { set: { exclusive: [], shared: ['db'] }, waitingFor: [1] }),
    );
    const lines = explain({ held: [migration], pending }, 'db').split('\n');
    expect(lines).toHaveLength(2 + 1 + 50 + 1);
    expect(lines.at(-1)).toBe('  … and 99950 more');
  });

  it('a free resource is free, and nobody waits', async () => {
    const text = explain(await createDomain().query(), 'db');
    expect(text).toBe('db is free\nQueue: empty');
  });

  it('gives a terminal no order and turns no line round, whatever the names are', async () => {
    const domain = createDomain();
    for (const name of hostileNames) {
      const label = name.slice(0, 1024);
      const grant = domain.acquireSync({ exclusive: [name, 'other'] }, { label });
      const waiting = domain.acquire({ exclusive: [name] }, { label });
      const snapshot = await domain.query();
      for (const text of [
        explain(snapshot, name),
        waitGraphAsDot(snapshot),
        waitGraphAsMermaid(snapshot),
      ]) {
        expect(text).not.toMatch(unsafe);
        expect(text.length).toBeLessThan(6000);
      }
      grant.release();
      (await waiting).release();
    }
  });
});

describe('a graph of waiting', () => {
  async function snapshotOf(names: readonly string[]): Promise<InspectedSnapshot> {
    const domain = createDomain();
    domain.acquireSync({ exclusive: names });
    domain.acquire({ shared: names }).catch(() => undefined);
    const snapshot = await domain.query();
    await domain.close();
    return snapshot;
  }

  it('has a box for each set and an arrow to each of its blockers', async () => {
    const snapshot = await snapshotOf(['a', 'b']);
    const [held] = snapshot.held.map(({ id }) => id);
    const [waits] = snapshot.pending.map(({ id }) => id);
    expect(waitGraphAsDot(snapshot)).toContain(`${waits} -> ${held} [label="a, b"];`);
    expect(waitGraphAsDot(snapshot)).toContain('-x a -x b", style=bold];');
    expect(waitGraphAsMermaid(snapshot)).toContain(`s${waits} -->|"a, b"| s${held}`);
  });

  it('nothing in a name ends a string of it', async () => {
    const snapshot = await snapshotOf(hostileNames.filter((name) => name.length < 100));
    const dot = waitGraphAsDot(snapshot);
    // Each line has whole strings only: with them gone, no quote and none of the names is left.
    const bare = dot.replace(/"(?:[^"\\]|\\.)*"/g, 'S');
    expect(bare).toMatch(/^digraph waits \{\n {2}node \[shape=box\];\n[\s\w[\]=>,;-]*\}\n$/);
    expect(bare).not.toContain('evil');
    for (const line of waitGraphAsMermaid(snapshot).trimEnd().split('\n').slice(1)) {
      expect(line).toMatch(/^ {2}s\d+(?:[[(]"[^"<>`\]]*"[\])]| -->\|"[^"<>`|]*"\| s\d+)$/);
    }
  });

  it('draws a bounded number of sets', () => {
    const pending = Array.from({ length: 5000 }, (_, index) =>
      entry(index + 2, { set: { exclusive: ['db'], shared: [] }, waitingFor: [index + 1] }),
    );
    const dot = waitGraphAsDot({ held: [migration], pending }, { entryCountMax: 10 });
    expect(dot.split('\n')).toHaveLength(2 + 1 + 10 + 9 + 2);
    expect(dot).toContain('and 4991 more sets');
  });
});

describe('findings', () => {
  it('a cycle is suspected where a client waits for what waits for its own grant', async () => {
    const client = { number: 9 };
    const held = [entry(1, { token: 1, client }), entry(4, { token: 2, client: { number: 8 } })];
    const pending = [
      entry(2, { waitingFor: [1] }),
      entry(3, { waitingFor: [2], client }),
      entry(5, { waitingFor: [4], client: { number: 7 } }),
    ];
    const { suspectedDeadlocks } = findingsOf({ held, pending });
    const cycles = suspectedDeadlocks.map(({ cycle }) => cycle.map(({ id }) => id));
    expect(cycles).toEqual([[2, 1, 3]]);
  });

  it('two sessions that keep one name each and want the other, one after the other', async () => {
    const domain = createDomain();
    const [one, two] = [domain.session({ label: 'one' }), domain.session({ label: 'two' })];
    await one.acquire({ exclusive: 'a' });
    await two.acquire({ exclusive: 'b' });
    const waiting = [one.acquire({ exclusive: 'b' })];
    expect(findingsOf(await domain.query()).suspectedDeadlocks).toEqual([]);
    waiting.push(two.acquire({ exclusive: 'a' }));
    // It may pass, for all that can be seen so far.
    expect(findingsOf(await domain.query()).suspectedDeadlocks).toEqual([]);
    const { suspectedDeadlocks } = findingsOf(await domain.query(), { stuckMsMin: 0 });
    expect(suspectedDeadlocks).toHaveLength(1);
    expect(suspectedDeadlocks[0]?.cycle.map(({ session }) => session).sort()).toEqual([
      ...['one', 'one', 'two', 'two'],
    ]);
    for (const request of waiting) request.catch(() => undefined);
    await domain.close();
  });

  it('who waits for a grant of his own session is taken to do two things at once', async () => {
    const domain = createDomain({ label: 'server' });
    domain.acquireSync({ exclusive: 'a' });
    domain.acquire({ exclusive: 'a' }).catch(() => undefined);
    expect(findingsOf(await domain.query()).suspectedDeadlocks).toEqual([]);
    await domain.close();
  });

  it('nobody waits with a grant that was given after he began to wait', () => {
    const [one, two] = [{ number: 1 }, { number: 2 }];
    const held = [
      entry(3, { token: 1, client: one, since: 300 }),
      entry(4, { token: 2, client: two, since: 300 }),
    ];
    const pending = [
      entry(1, { waitingFor: [4], client: one, since: 200 }),
      entry(2, { waitingFor: [3], client: two, since: 200 }),
    ];
    expect(findingsOf({ held, pending }).suspectedDeadlocks).toEqual([]);
    const later = pending.map((each) => ({ ...each, since: 400 }));
    expect(findingsOf({ held, pending: later }).suspectedDeadlocks).toHaveLength(1);
  });

  it('a large set that waits, and those who wait for it alone, are a convoy', async () => {
    const domain = createDomain();
    const names = Array.from({ length: 20 }, (_, index) => `row ${index}`);
    const holder = domain.acquireSync({ exclusive: 'row 0' });
    const requests = [domain.acquire({ exclusive: names }, { label: 'all rows' })];
    for (const name of names) requests.push(domain.acquire({ exclusive: name }));
    const { convoys, hotResources, longestWaits } = findingsOf(await domain.query());
    expect(convoys).toHaveLength(1);
    expect(convoys[0]).toMatchObject({ delayedCount: 20, entry: { label: 'all rows' } });
    expect(convoys[0]?.idleNames).toEqual(names.slice(1));
    expect(hotResources[0]).toEqual({ name: 'row 0', heldCount: 1, pendingCount: 2 });
    expect(longestWaits).toHaveLength(10);
    holder.release();
    for (const request of requests) (await request).release();
  });

  it('a queue on what is held is no convoy', async () => {
    const domain = createDomain();
    domain.acquireSync({ exclusive: 'a' });
    for (let count = 0; count < 10; count++) {
      domain.acquire({ exclusive: 'a' }).catch(() => undefined);
    }
    expect(findingsOf(await domain.query()).convoys).toEqual([]);
    await domain.close();
  });

  it('searches a long queue without recursion, and 100,000 sets in order', () => {
    const pending = Array.from({ length: 100_000 }, (_, index) =>
      entry(index + 2, {
        set: { exclusive: ['db'], shared: [] },
        waitingFor: [index + 1],
        session: `s${index}`,
      }),
    );
    const { hotResources, suspectedDeadlocks } = findingsOf({ held: [migration], pending });
    expect(hotResources).toEqual([{ name: 'db', heldCount: 1, pendingCount: 100_000 }]);
    expect(suspectedDeadlocks).toEqual([]);
  });
});
