/** Texts, graphs and findings made of a snapshot. */

import { createDomain, type SyncDomain } from 'kds';
import {
  explain,
  findingsOf,
  type InspectedEntry,
  type InspectedSnapshot,
  setText,
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

/** A holds gpu0 and gpu1, B gpu2; C waits for two, and D, behind it, for one. */
async function busyPool(): Promise<{ domain: SyncDomain; snapshot: InspectedSnapshot }> {
  const domain = createDomain({ capacity: { gpu: ['gpu0', 'gpu1', 'gpu2', 'gpu3'] } });
  domain.acquireSync({ units: { gpu: 2 }, exclusive: 'db' }, { label: 'A' });
  domain.acquireSync({ shared: 'gpu' }, { label: 'B' });
  domain.acquire({ units: { gpu: 2 } }, { label: 'C' }).catch(() => undefined);
  domain.acquire({ units: { gpu: 1 } }, { label: 'D' }).catch(() => undefined);
  return { domain, snapshot: await domain.query() };
}

describe('an explanation of a resource with a capacity', () => {
  it('has its units, their holders, and what each waiter needs', async () => {
    const { domain, snapshot } = await busyPool();
    const nowMs = Math.max(...[...snapshot.held, ...snapshot.pending].map(({ since }) => since));
    const lines = explain(snapshot, 'gpu', { nowMs }).split('\n');
    expect(lines).toEqual([
      'gpu has 4 units: 3 taken, 1 free',
      'gpu is held, 2 units (gpu0, gpu1), for 0.0 s, by A',
      '  set: -x db -u gpu=2; token 1',
      'gpu is held, 1 unit (gpu2), for 0.0 s, by B',
      '  set: -u gpu=1; token 2',
      'Queue (2 ahead of you, 3 units):',
      '  1. 2 units, for 0.0 s: C',
      '     needs 2 of 4; 3 are held by A (2) and B (1)',
      '  2. 1 unit, for 0.0 s: D',
      '     needs 1 of 4; 3 are held by A (2) and B (1); ahead in line: C (2)',
    ]);
    await domain.close();
  });

  it('has no need for a waiter whose units fit, and that waits for something else', async () => {
    const { domain } = await busyPool();
    const set = { exclusive: 'db', units: { ram: 1 } };
    domain.setCapacity('ram', 8);
    domain.acquire(set, { label: 'E' }).catch(() => undefined);
    const text = explain(await domain.query(), 'ram');
    expect(text).toContain('ram has 8 units: 0 taken, 8 free\nram is not held\n');
    expect(text).not.toContain('needs');
    expect(text).toMatch(/for:\n {2}A, which has held -x db -u gpu=2 for/);
    await domain.close();
  });

  it('of an exclusive waiter needs all, and a reduced capacity is exceeded', async () => {
    const domain = createDomain({ capacity: { gpu: 4 } });
    domain.acquireSync({ units: { gpu: 3 } }, { label: 'A' });
    domain.acquire({ exclusive: 'gpu' }, { label: 'all' }).catch(() => undefined);
    domain.setCapacity('gpu', 2);
    const text = explain(await domain.query(), 'gpu');
    expect(text).toMatch(/^gpu has 2 units: 3 taken, 1 over capacity\n/);
    expect(text).toContain('held, 3 units (0, 1, 2), for');
    expect(text).toMatch(/1\. exclusive, .*\n {5}needs all 2; 3 are held by A \(3\)$/);
    await domain.close();
  });

  it('lists a few of many units, and a few of many holders', async () => {
    const domain = createDomain({ capacity: { disk: 2000 } });
    domain.acquireSync({ units: { disk: 1000 } }, { label: 'A' });
    for (let count = 0; count < 500; count++) domain.acquireSync({ units: { disk: 2 } });
    domain.acquire({ units: { disk: 7 } }).catch(() => undefined);
    const text = explain(await domain.query(), 'disk');
    expect(text).toContain('(0, 1, 2, 3, 4, 5, 6, 7, and 992 more)');
    expect(text).toMatch(/needs 7 of 2000; 2000 are held by A \(1000\), .* and 498 more$/);
    expect(text.split('\n')).toHaveLength(1 + 2 * 50 + 1 + 3);
    await domain.close();
  });
});

it('a set is described as options of kds run, those with units too', () => {
  const set = { exclusive: ['a'], shared: ['b', 'c'], units: { gpu: 2, 'two words': 1 } };
  expect(setText(set)).toBe('-x a -u gpu=2 -u "two words"=1 -s b -s c');
  expect(setText(set, 2)).toBe('-x a -u gpu=2 and 3 more');
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

  it('has the units that are in the way, and no arrow for units that fit', async () => {
    const { domain } = await busyPool();
    domain.setCapacity('ram', 8);
    domain.acquireSync({ units: { ram: 1 }, exclusive: 'disk' }, { label: 'E' });
    domain.acquire({ units: { ram: 1 }, exclusive: 'disk' }).catch(() => undefined);
    const snapshot = await domain.query();
    const ids = [...snapshot.held, ...snapshot.pending].map(({ id }) => id);
    const [a, b, e, c, d, f] = ids;
    const edges = waitGraphAsDot(snapshot).match(/\d+ -> \d+ .*(?=;)/g);
    expect(edges).toEqual([
      `${c} -> ${a} [label="gpu (2 of 4)"]`,
      `${c} -> ${b} [label="gpu (1 of 4)"]`,
      `${d} -> ${c} [label="gpu (2 of 4)"]`,
      `${f} -> ${e} [label="disk"]`,
    ]);
    expect(waitGraphAsMermaid(snapshot)).toContain(`s${c} -->|"gpu (2 of 4)"| s${a}`);
    await domain.close();
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

  /** Two sessions, each of which holds units of one pool and waits for some of the other one. */
  async function cycleOfUnits(own: number, wanted: number): Promise<InspectedSnapshot> {
    const domain = createDomain({ capacity: { gpu: 4, ram: 4 } });
    const [one, two] = [domain.session({ label: 'one' }), domain.session({ label: 'two' })];
    one.acquireSync({ units: { gpu: own } });
    two.acquireSync({ units: { ram: own } });
    domain.acquireSync({ units: { gpu: 4 - own, ram: 4 - own } }, { label: 'passing' });
    for (const request of [
      one.acquire({ units: { ram: wanted } }),
      two.acquire({ units: { gpu: wanted } }),
    ]) {
      request.catch(() => undefined);
    }
    const snapshot = await domain.query();
    await domain.close();
    return snapshot;
  }

  it('a cycle through units may resolve itself where another holder has enough', async () => {
    const possible = findingsOf(await cycleOfUnits(2, 2), { stuckMsMin: 0 }).suspectedDeadlocks;
    expect(possible).toMatchObject([{ mayResolve: true }]);
    const certain = findingsOf(await cycleOfUnits(2, 3), { stuckMsMin: 0 }).suspectedDeadlocks;
    expect(certain).toMatchObject([{ mayResolve: false }]);
  });

  it('a set that waits for many units while some are free, and others behind it', async () => {
    const domain = createDomain({ capacity: { gpu: 4 } });
    domain.acquireSync({ units: { gpu: 1 } });
    const sets = [4, 1, 1, 1].map((gpu) => ({ units: { gpu } }));
    for (const set of sets) domain.acquire(set).catch(() => undefined);
    const { convoys } = findingsOf(await domain.query());
    expect(convoys).toMatchObject([{ delayedCount: 3, idleNames: [] }]);
    expect(convoys[0]?.idleUnits).toEqual(new Map([['gpu', 3]]));
    await domain.close();
  });

  it('a capacity is exceeded after a reduction, which is no fault', async () => {
    const domain = createDomain({ capacity: { gpu: 4, ram: 4 } });
    domain.acquireSync({ units: { gpu: 3, ram: 4 } });
    domain.setCapacity('gpu', 2);
    const { overCapacity, sharedUnits } = findingsOf(await domain.query());
    expect(overCapacity).toEqual([{ name: 'gpu', capacity: 2, taken: 3 }]);
    expect(sharedUnits).toEqual([]);
    await domain.close();
  });

  it('a unit that two grants have is found', async () => {
    const { domain, snapshot } = await busyPool();
    expect(findingsOf(snapshot)).toMatchObject({ overCapacity: [], sharedUnits: [] });
    const [a, b] = snapshot.held as [InspectedEntry, InspectedEntry];
    const copied = { ...b, units: { gpu: ['gpu1'] } };
    const { sharedUnits } = findingsOf({ ...snapshot, held: [a, copied] });
    expect(sharedUnits).toEqual([{ name: 'gpu', unit: 'gpu1', entries: [a, copied] }]);
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
