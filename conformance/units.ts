/** Units of resources with a capacity: semaphores, read-write locks and mutexes in one set. */

import type { Grant } from '../src/api/grant.ts';
import type { SetSpec } from '../src/api/sets.ts';
import { check, equal, fails, isError, mentions, within } from './assertions.ts';
import type { Suite } from './suite.ts';
import { entryOf, type World } from './world.ts';

const now = { timeoutMs: 0 };
const four = ['gpu0', 'gpu1', 'gpu2', 'gpu3'];

export function testUnits(suite: Suite): void {
  suite.group('units', () => {
    testCapacities(suite);
    testResizes(suite);
    testNumbers(suite);
    testChanges(suite);
    testInput(suite);
    testReports(suite);
  });
}

function testCapacities({ needing }: Suite): void {
  const test = needing('units');

  test('as many are out as there are, and a big set is not overtaken', async (w) => {
    await w.domain.setCapacity('gpu', 4);
    const two = await w.take('two', { units: { gpu: 2 } });
    const one = await w.take('one', { units: { gpu: 1 } });
    await w.ask('three', { units: { gpu: 3 } });
    await w.ask('small', { units: { gpu: 1 } });
    equal(await w.domain.tryAcquire({ units: { gpu: 1 } }), null, 'a try');
    await one.release();
    await w.see({ held: ['two'], pending: ['three', 'small'] });
    await two.release();
    await w.see({ held: ['three', 'small'] });
  });

  test('sets of units, shared and exclusive resources are granted whole', async (w) => {
    const other = await w.participant();
    await w.domain.setCapacity('gpu', 4);
    const set: SetSpec = { units: { gpu: 2 }, shared: 'models', exclusive: 'port' };
    const one = await w.take('one', set, {}, other);
    await w.ask('two', set);
    // The second set waits for the port, and its units count meanwhile.
    await w.ask('three', { units: { gpu: 1 }, shared: 'models' }, {}, other);
    await w.see({ held: ['one'], pending: ['two', 'three'] });
    await one.release();
    await w.ask('four', { shared: 'models' });
    await w.see({ held: ['two', 'three', 'four'] });
  });

  test('a shared set takes one, and an exclusive one all', async (w) => {
    await w.domain.setCapacity('db', 2);
    const readers = [await w.take('1', { shared: 'db' }), await w.take('2', { shared: 'db' })];
    await w.ask('writer', { exclusive: 'db' });
    await w.ask('3', { shared: 'db' });
    await readers[0]?.release();
    await w.see({ held: ['2'], pending: ['writer', '3'] });
    await readers[1]?.release();
    await w.see({ held: ['writer'], pending: ['3'] });
    equal((await w.domain.capacity('db'))?.taken, 2, 'the units taken');
  });

  test('a capacity is one for all participants, and outlives its last set', async (w) => {
    const other = await w.participant();
    await w.domain.setCapacity('gpu', four);
    const held = await w.take('held', { units: { gpu: 3 } }, {}, other);
    await w.ask('waiting', { units: { gpu: 2 } });
    const expected = { capacity: 4, taken: 3, waiting: 1, names: four };
    for (const each of [w.domain, other]) {
      equal(await each.capacity('gpu'), expected, 'the capacity');
    }
    await held.release();
    await w.endAll();
    await w.see({});
    equal(await other.capacity('gpu'), { ...expected, taken: 0, waiting: 0 }, 'the idle one');
    equal(await w.domain.capacity('ram'), undefined, 'a capacity that there is not');
  });

  test('a set can assert a capacity, for as long as the resource is in use', async (w) => {
    const one = await w.take('one', { units: { gpu: { take: 2, of: 4 } } });
    await w.take('two', { units: { gpu: 1 } });
    equal(await w.domain.capacity('gpu'), { capacity: 4, taken: 3, waiting: 0 }, 'capacity');
    const error = await fails(
      () => w.domain.acquire({ units: { gpu: { take: 1, of: 8 } } }),
      'KDS_CAPACITY',
    );
    mentions(error, 'gpu', '4', '8');
    await one.release();
    await w.take('three', { units: { gpu: { take: 3, of: 4 } } });
    await w.endAll();
    equal(await w.domain.capacity('gpu'), undefined, 'the capacity afterwards');
    await w.take('other', { units: { gpu: { take: 5, of: 8 } } });
  });

  test('a set that is refused asserts nothing', async (w) => {
    await w.take('holder', { exclusive: 'a' });
    const units = { gpu: { take: 1, of: 2 } };
    await fails(() => w.domain.acquire({ units: { ...units, ram: 1 } }), 'KDS_CAPACITY');
    await fails(() => w.domain.acquire({ exclusive: 'a', units }, now), 'KDS_WAIT_TIMEOUT');
    equal(await w.domain.tryAcquire({ exclusive: 'a', units }), null, 'a try');
    equal(await w.domain.capacity('gpu'), undefined, 'the capacity');
  });

  test('an asserted capacity is refused where the resource is in use without one', async (w) => {
    await w.take('reader', { shared: 'a' });
    const set = { units: { a: { take: 1, of: 2 } } };
    mentions(await fails(() => w.domain.acquire(set), 'KDS_CAPACITY'), '"a"', '2');
    await w.domain.setCapacity('a', 2);
    await w.take('user', set);
    await w.see({ held: ['reader', 'user'] });
    equal(await w.domain.tryAcquire({ shared: 'a' }), null, 'a try of a third unit');
  });
}

function testResizes({ needing }: Suite): void {
  const test = needing('units');

  test('more capacity lets sets in, in their order', async (w) => {
    await w.domain.setCapacity('gpu', 1);
    await w.take('holder', { units: { gpu: 1 } });
    await w.ask('one', { shared: 'gpu' });
    await w.ask('all', { exclusive: 'gpu' });
    await w.ask('late', { units: { gpu: 1 } });
    const other = await w.participant();
    await other.setCapacity('gpu', 3);
    await w.see({ held: ['holder', 'one'], pending: ['all', 'late'] });
  });

  test('less takes no grant back, and refuses what can never be granted', async (w) => {
    const other = await w.participant();
    await w.domain.setCapacity('gpu', 4);
    const holder = await w.take('holder', { units: { gpu: 4 } });
    const three = await w.ask('three', { units: { gpu: 3 } }, {}, other);
    const two = await w.ask('two', { units: { gpu: 2 } });
    const big = await w.enqueue('big', { units: { gpu: 4 } }, {}, other);
    await w.domain.setCapacity('gpu', 2);
    mentions(await three.refused('KDS_CAPACITY'), 'units');
    isError(await big.refusal(), 'KDS_CAPACITY');
    check(holder.grant.isHeld && !holder.grant.signal.aborted, 'the holder has lost its grant');
    await w.see({ held: ['holder'], pending: ['two'] });
    equal(await w.domain.capacity('gpu'), { capacity: 2, taken: 4, waiting: 1 }, 'capacity');
    await holder.release();
    await two.granted();
  });

  test('no set is granted that the same change refuses', async (w) => {
    await w.domain.setCapacity('gpu', 4);
    const holder = await w.take('holder', { exclusive: 'a' });
    const first = await w.ask('first', { exclusive: 'a', units: { gpu: 3 } });
    const second = await w.ask('second', { units: { gpu: 3 } });
    await w.domain.setCapacity('gpu', 2);
    await first.refused('KDS_CAPACITY');
    await second.refused('KDS_CAPACITY');
    equal(w.reported, ['holder'], 'what was granted');
    await holder.release();
  });

  test('units in use keep their names', async (w) => {
    await w.domain.setCapacity('gpu', four);
    const { grant } = await w.take('holder', { units: { gpu: 2 } });
    const wrong = [['gpu1', 'gpu0'], ['gpu1'], 4];
    for (const each of wrong) {
      await fails(async () => w.domain.setCapacity('gpu', each as string[]), 'KDS_CAPACITY');
    }
    await w.domain.setCapacity('gpu', [...four, 'gpu4']);
    equal(grant.units, { gpu: ['gpu0', 'gpu1'] }, 'the units');
    await w.endAll();
    await w.domain.query();
    await w.domain.setCapacity('gpu', ['left', 'right']);
    const next = await w.take('next', { exclusive: 'gpu' });
    equal(next.grant.units, { gpu: ['left', 'right'] }, 'the units afterwards');
  });
}

function testNumbers({ needing }: Suite): void {
  const test = needing('units');

  test('a grant has the lowest free ones, by number or name', async (w) => {
    const other = await w.participant();
    await w.domain.setCapacity('ram', 8);
    await w.domain.setCapacity('gpu', four);
    const one = await w.take('one', { units: { ram: 2, gpu: 1 } });
    const two = await w.take('two', { units: { ram: 1 }, shared: 'gpu' }, {}, other);
    equal(one.grant.units, { ram: [0, 1], gpu: ['gpu0'] }, 'the units of one');
    equal(two.grant.units, { ram: [2], gpu: ['gpu1'] }, 'the units of two');
    await one.release();
    check(Object.keys(one.grant.units).length === 0, 'a grant that has ended has units');
    const three = await w.take('three', { units: { ram: 3, gpu: 2 } });
    equal(three.grant.units, { ram: [0, 1, 3], gpu: ['gpu0', 'gpu2'] }, 'the units of three');
  });

  test('no two grants have one, whatever the order of their ends', async (w) => {
    const others = [w.domain, await w.participant(), await w.participant()];
    await w.domain.setCapacity('gpu', 5);
    const out = new Set<unknown>();
    const use = async (index: number): Promise<void> => {
      const domain = others[index % others.length] as World['domain'];
      await domain.run({ units: { gpu: 1 + (index % 3) } }, async ({ units }) => {
        const own = units['gpu'] as readonly number[];
        equal(own.length, 1 + (index % 3), 'how many it has');
        for (const unit of own) {
          check(!out.has(unit), `unit ${unit} is given twice`);
          check(unit >= 0 && unit < 5, `there is no unit ${unit}`);
          out.add(unit);
        }
        for (let turn = 0; turn < index % 4; turn++) await domain.query();
        for (const unit of own) out.delete(unit);
      });
    };
    await Promise.all(Array.from({ length: 60 }, (_, index) => use(index)));
  });

  test('a set that waited gets those that are free at its grant', async (w) => {
    await w.domain.setCapacity('gpu', four);
    const holders = [
      await w.take('a', { units: { gpu: 2 } }),
      await w.take('b', { shared: 'gpu' }),
    ];
    const waiting = await w.ask('c', { units: { gpu: 2 } });
    await holders[0]?.release();
    equal((await waiting.granted()).units, { gpu: ['gpu0', 'gpu1'] }, 'the units');
  });

  test('a handle has a capacity of its own', async (w) => {
    const pool = w.domain.resource();
    await w.domain.setCapacity(pool, 2);
    const take = (label: string) => w.take(label, { units: new Map([[pool, 1]]) });
    const grants = [await take('one'), await take('two')];
    const units = grants.map(({ grant }) => Object.values(grant.units));
    equal(units, [[[0]], [[1]]], 'the units');
    equal(await w.domain.tryAcquire({ shared: pool }), null, 'a try');
    await w.endAll();
    await w.domain.query();
    await pool.close();
  });
}

function testChanges({ needing }: Suite): void {
  const test = needing('units');
  const downgrade = needing('units', 'downgrade');

  downgrade('a downgrade leaves the lowest, and lets others in', async (w) => {
    await w.domain.setCapacity('gpu', four);
    const { grant } = await w.take('holder', { exclusive: 'gpu' });
    await w.ask('two', { units: { gpu: 2 } });
    await w.ask('late', { shared: 'gpu' });
    await grant.downgrade({ units: { gpu: 3 } });
    equal(grant.units, { gpu: ['gpu0', 'gpu1', 'gpu2'] }, 'three units');
    await w.see({ held: ['holder'], pending: ['two', 'late'] });
    await grant.downgrade({ units: { gpu: 2 } });
    const seen = await w.see({ held: ['holder', 'two'], pending: ['late'] });
    equal(entryOf(seen, 'holder').set, { exclusive: [], shared: [], units: { gpu: 2 } }, 'set');
    const next = entryOf(await w.domain.query(), 'two');
    equal(next.units, { gpu: ['gpu2', 'gpu3'] }, 'the units of the next');
    await grant.downgrade();
    equal(grant.units, { gpu: ['gpu0'] }, 'one unit');
    await w.see({ held: ['holder', 'two', 'late'] });
  });

  downgrade('never to more, nor of what is not held', async (w) => {
    await w.domain.setCapacity('gpu', 4);
    const { grant } = await w.take('holder', { units: { gpu: 2 }, exclusive: 'a' });
    await fails(async () => grant.downgrade({ units: { gpu: 3 } }), 'KDS_INVALID_SET');
    await fails(async () => grant.downgrade({ units: { ram: 1 } }), 'KDS_INVALID_SET');
    await fails(async () => grant.downgrade({ units: { a: 1 } }), 'KDS_CAPACITY');
    await fails(async () => grant.downgrade({ units: { gpu: 0 } }), 'RangeError');
    equal(grant.units, { gpu: [0, 1] }, 'the units');
    await grant.release();
    await fails(async () => grant.downgrade({ units: { gpu: 1 } }), 'KDS_GRANT_LOST');
  });

  test('an upgrade takes all if nobody else has any, and waits for nobody', async (w) => {
    const other = await w.participant();
    await w.domain.setCapacity('gpu', 3);
    const holder = await w.take('holder', { units: { gpu: 2 }, shared: 'a' });
    const reader = await w.take('reader', { shared: ['gpu', 'a'] }, {}, other);
    equal(await holder.grant.tryUpgrade(), false, 'whether it is upgraded');
    equal(await holder.grant.tryUpgrade('a'), false, 'whether a is');
    await reader.release();
    await w.ask('writer', { exclusive: 'a' }, {}, other);
    // It waits, so it is not in the way.
    equal(await holder.grant.tryUpgrade('a'), true, 'whether a is upgraded now');
    equal(await holder.grant.tryUpgrade(), true, 'whether all of it is');
    equal(holder.grant.units, { gpu: [0, 1, 2] }, 'the units');
    equal(await other.tryAcquire({ shared: 'gpu' }), null, 'a try of another');
    const seen = await w.see({ held: ['holder'], pending: ['writer'] });
    equal(new Set(entryOf(seen, 'holder').set.exclusive).size, 2, 'what is exclusive');
    await fails(async () => holder.grant.tryUpgrade('b'), 'KDS_INVALID_SET');
    await holder.release();
    await fails(async () => holder.grant.tryUpgrade(), 'KDS_GRANT_LOST');
  });

  test('an upgrade is not made where a set that waits would be granted before', async (w) => {
    await w.domain.setCapacity('gpu', 3);
    await w.take('port', { exclusive: 'port' });
    const { grant } = await w.take('holder', { units: { gpu: 1 } });
    await w.ask('next', { units: { gpu: 2 }, exclusive: 'port' });
    equal(await grant.tryUpgrade('gpu'), false, 'whether it is upgraded');
  });

  const steal = needing('units', 'steal');
  steal('a steal revokes holders of units, and only one of all is recovered', async (w) => {
    await w.domain.setCapacity('gpu', 2);
    const one = await w.take('one', { units: { gpu: 1 } });
    const operator = await w.take('operator', { exclusive: 'gpu' }, { steal: true });
    await w.domain.query();
    check(!one.grant.isHeld, 'it is still held');
    equal(operator.grant.recovered, [], 'recovered after one unit');
    const next = await w.take('next', { exclusive: 'gpu' }, { steal: true });
    equal(next.grant.recovered, ['gpu'], 'recovered after all');
    await fails(() => w.domain.acquire({ units: { gpu: 1 } }, { steal: true }), 'KDS_INVALID_SET');
  });

  const settled = needing('units', 'settled');
  settled('it is settled when the units would fit', async (w) => {
    await w.domain.setCapacity('gpu', 4);
    const three = await w.take('three', { units: { gpu: 3 } });
    await within(w.domain.settled({ units: { gpu: 1 } }), 'one unit to fit');
    await fails(() => w.domain.settled({ units: { gpu: 2 } }, now), 'KDS_WAIT_TIMEOUT');
    await fails(() => w.domain.settled({ units: { gpu: 5 } }), 'KDS_CAPACITY');
    const waiting = w.domain.settled({ units: { gpu: 2 } });
    await three.release();
    await within(waiting, 'two units to fit');
  });

  const nested = needing('units', 'nested');
  nested('nested runs share the units of the grant around them', async (w) => {
    await w.domain.setCapacity('gpu', four);
    await w.take('first', { units: { gpu: 1 } });
    const { grant } = await w.take('outer', { units: { gpu: 2 } });
    const seen: unknown[] = [];
    const step = async ({ units }: Grant): Promise<void> => void seen.push(units['gpu']);
    await Promise.all([1, 1, 2].map((gpu) => grant.run({ units: { gpu } }, step)));
    equal(seen, [['gpu1'], ['gpu2'], ['gpu1', 'gpu2']], 'the units of the runs');
    await fails(() => grant.run({ units: { gpu: 3 } }, step), 'KDS_INVALID_SET');
  });

  const sync = needing('units', 'sync');
  sync('a grant covers up to as many as it has', async (w) => {
    w.sync.setCapacity('gpu', 4);
    const grant = w.sync.acquireSync({ units: { gpu: 2 } });
    const covered = [{ units: { gpu: 2 } }, { shared: 'gpu' }, {}].map((set) => grant.covers(set));
    equal(covered, [true, true, true], 'what it covers');
    const beyond = [{ units: { gpu: 3 } }, { exclusive: 'gpu' }, { units: { ram: 1 } }];
    equal(
      beyond.map((set) => grant.covers(set)),
      [false, false, false],
      'what it does not cover',
    );
    grant.release();
  });

  sync('what ignores synchronous callers counts in the sums all the same', async (w) => {
    w.sync.setCapacity('gpu', 3);
    const sync = w.sync.acquireSync({ units: { gpu: 2 } });
    const passed = await w.take('passed', { units: { gpu: 2 } }, { locked: 'ignore' });
    equal(passed.grant.ignored, ['gpu'], 'what it goes without');
    equal(await w.domain.tryAcquire({ shared: 'gpu' }), null, 'a try');
    sync.release();
    const next = await w.take('next', { shared: 'gpu' });
    await next.release();
  });
}

function testInput({ needing }: Suite): void {
  const test = needing('units');

  test('units without a capacity, or more than there are, are refused at once', async (w) => {
    await w.domain.setCapacity('gpu', 4);
    for (const units of [{ ram: 1 }, { gpu: 5 }, { gpu: { take: 5, of: 4 } }, { gpu: 1, ram: 1 }]) {
      const error = await fails(() => w.domain.acquire({ units }), 'KDS_CAPACITY');
      mentions(error, 'ram' in units ? 'ram' : 'gpu');
      await fails(() => w.domain.tryAcquire({ units }), 'KDS_CAPACITY');
    }
    await w.see({});
  });

  test('numbers of units are whole and at least 1', async (w) => {
    await w.domain.setCapacity('gpu', 4);
    for (const gpu of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 26]) {
      await fails(() => w.domain.acquire({ units: { gpu } }), 'RangeError', String(gpu));
      await fails(async () => w.domain.setCapacity('gpu', gpu), 'RangeError', String(gpu));
    }
    for (const wrong of ['2', null, {}, { take: 1 }, undefined]) {
      const units = { gpu: wrong } as unknown as Record<string, number>;
      await fails(() => w.domain.acquire({ units }), 'TypeError', String(wrong));
    }
    const sets: readonly unknown[] = [undefined, null, 'gpu', ['gpu'], new Set(['gpu']), 5];
    for (const units of sets) {
      const set = { units } as SetSpec;
      await fails(() => w.domain.acquire(set), 'KDS_INVALID_SET', String(units));
    }
    await fails(async () => w.domain.setCapacity('gpu', []), 'RangeError');
    await fails(async () => w.domain.setCapacity('gpu', ['a', 'a']), 'TypeError');
    equal((await w.domain.capacity('gpu'))?.capacity, 4, 'the capacity');
  });

  test('the greatest capacity has 2^26 - 1 units', async (w) => {
    const all = 2 ** 26 - 1;
    await w.domain.setCapacity('slots', all);
    const most = await w.take('most', { units: { slots: all - 1 } });
    const last = await w.take('last', { units: { slots: 1 } });
    equal(last.grant.units, { slots: [all - 1] }, 'the last unit');
    equal(await w.domain.tryAcquire({ shared: 'slots' }), null, 'a try');
    await most.release();
    await w.take('some', { units: { slots: 1000 } });
  });

  test('2^26 - 1 units are as many of a capacity, and no exclusive access', async (w) => {
    const all = 2 ** 26 - 1;
    await fails(() => w.domain.acquire({ units: { slots: all } }), 'KDS_CAPACITY', 'none');
    await w.domain.setCapacity('gpu', 4);
    for (const gpu of [all, { take: all, of: all }]) {
      await fails(() => w.domain.tryAcquire({ units: { gpu } }), 'KDS_CAPACITY', 'a capacity of 4');
    }
    const one = await w.take('one', { units: { slots: { take: all, of: all } } });
    equal((await w.domain.capacity('slots'))?.capacity, all, 'the capacity');
    const other = { units: { slots: { take: 1, of: 4 } } };
    await fails(() => w.domain.tryAcquire(other), 'KDS_CAPACITY', 'another one');
    equal(await w.domain.tryAcquire({ shared: 'slots' }), null, 'a try');
    await one.release();
    equal(await w.domain.capacity('slots'), undefined, 'the capacity afterwards');
    await w.take('again', other);
  });

  test('a resource named twice counts once, with the greater number', async (w) => {
    await w.domain.setCapacity('gpu', 4);
    const handle = w.domain.resource('gpu');
    const units = new Map<string | typeof handle, number>([
      ['gpu', 1],
      [handle, 3],
    ]);
    await w.take('three', { units, shared: ['gpu', handle] });
    equal((await w.domain.capacity('gpu'))?.taken, 3, 'the units taken');
    await w.ask('all', { exclusive: 'gpu', units: { gpu: 1 } });
    await w.see({ held: ['three'], pending: ['all'] });
  });

  test('a prepared set keeps its units', async (w) => {
    await w.domain.setCapacity('gpu', 4);
    const set = w.domain.prepare({ units: { gpu: { take: 2, of: 4 } }, shared: 'models' });
    await w.take('one', set);
    await w.take('two', set);
    equal(await w.domain.tryAcquire(set), null, 'a third one');
    equal((await w.domain.capacity('gpu'))?.taken, 4, 'the units taken');
  });
}

function testReports({ needing }: Suite): void {
  const test = needing('units');

  test('errors say by sums who is in the way', async (w) => {
    await w.domain.setCapacity('gpu', 4);
    await w.take('A', { units: { gpu: 2 } });
    await w.take('B', { units: { gpu: 1 } });
    await w.ask('C', { units: { gpu: 2 } });
    const error = await fails(
      () => w.domain.acquire({ units: { gpu: 2 } }, now),
      'KDS_WAIT_TIMEOUT',
    );
    mentions(error, 'gpu', 'needs 2 of 4', '3 are held by', 'A', '(2)', 'B', '(1)');
    mentions(error, 'ahead in line', 'C');
  });

  test('snapshots have the units, the capacities, and who is in the way', async (w) => {
    await w.domain.setCapacity('gpu', four);
    await w.take('A', { units: { gpu: 3 } });
    await w.take('B', { shared: 'gpu' });
    await w.ask('C', { units: { gpu: 1 } });
    await w.ask('D', { exclusive: 'gpu' });
    const seen = await w.see({ held: ['A', 'B'], pending: ['C', 'D'] });
    const [a, b, c, d] = ['A', 'B', 'C', 'D'].map((label) => entryOf(seen, label));
    equal(a?.set, { exclusive: [], shared: [], units: { gpu: 3 } }, 'the set of A');
    equal(b?.set, { exclusive: [], shared: [], units: { gpu: 1 } }, 'the set of B');
    equal([a?.units, b?.units], [{ gpu: four.slice(0, 3) }, { gpu: ['gpu3'] }], 'the units');
    equal([...(c?.waitingFor ?? [])], [a?.id, b?.id], 'whom C waits for');
    equal([...(d?.waitingFor ?? [])], [c?.id], 'whom D waits for');
    const capacity = { resource: 'gpu', capacity: 4, taken: 4, waiting: 2, names: four };
    equal(seen.capacities, [capacity], 'the capacities');
  });

  test('a cycle is a deadlock only if it cannot be played out', async (w) => {
    await w.domain.setCapacity('gpu', 4);
    const one = await w.take('one', { units: { gpu: 2 } });
    const two = await w.take('two', { units: { gpu: 2 } });
    const waiting = await w.ask('more', { units: { gpu: 2 } }, { holding: one.grant });
    await two.release();
    await waiting.granted();
    const last = () => w.domain.acquire({ units: { gpu: 3 } }, { holding: one.grant });
    mentions(await fails(last, 'KDS_DEADLOCK'), 'gpu');
  });
}
