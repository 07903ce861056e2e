/** What a set may be: names of any kind, handles, doubles, nothing at all; prepared or not. */

import { nameLengthMax, setSizeMax } from '../src/api/limits.ts';
import { check, equal, fails, mentions } from './assertions.ts';
import type { Suite } from './suite.ts';
import { entryOf } from './world.ts';

/** Names that some layer of a backend might confuse. */
const trickyNames: readonly string[] = [
  '',
  ' ',
  '\0',
  '\0\0',
  'a',
  'A',
  'a ',
  'a\0',
  'a\0b',
  'a\n',
  '\ud800',
  '\udc00',
  '\ud801',
  '\ufffd',
  '\ud83d\ude00',
  '\ude00\ud83d',
  '\u00e9',
  'e\u0301',
  '\ufeff',
  '\ufeffa',
  '__proto__',
  'constructor',
  'hasOwnProperty',
  'toString',
  'length',
  '0',
  '00',
  '-0',
  '#1',
  'null',
  'undefined',
  'exclusive',
  'shared',
  'a,b',
  'a:b',
  '{a}',
  '*',
  '?',
  '/',
  '../a',
  '%00',
  '\\u0000',
  '"',
  "'",
  'x'.repeat(nameLengthMax),
  `${'x'.repeat(nameLengthMax - 1)}y`,
  '\ud800'.repeat(nameLengthMax),
];

export function testSets({ group, test }: Suite): void {
  group('names', () => {
    test('any string is a name, and no two are the same resource', async (w) => {
      const set = await w.take('all', { exclusive: trickyNames });
      const { held } = await w.see({ held: ['all'] });
      equal(
        [...(held[0]?.set.exclusive ?? [])].sort(),
        [...trickyNames].sort(),
        'names in the entry',
      );
      for (const name of trickyNames) {
        equal(await w.domain.tryAcquire({ shared: name }), null, `a try of ${show(name)}`);
      }
      await set.release();
      for (const name of trickyNames) await w.take(show(name), { exclusive: name });
      equal((await w.domain.query()).held.length, trickyNames.length, 'how many are held');
    });

    test('a name that is too long is refused', async (w) => {
      const name = 'x'.repeat(nameLengthMax + 1);
      await fails(() => w.domain.acquire({ shared: name }), 'KDS_LIMIT');
    });

    test('names come and go, and come again', async (w) => {
      for (let round = 0; round < 3; round++) {
        const one = await w.take('one', { exclusive: ['a', 'b'] });
        const two = await w.ask('two', { exclusive: ['b', 'c'] });
        await one.release();
        await two.release();
        await w.see({});
      }
    });
  });

  group('sets', () => {
    test('an empty set is granted at once, whatever is held or waits', async (w) => {
      await w.take('holder', { exclusive: 'a' });
      await w.ask('waiting', { exclusive: 'a' });
      const empty = await w.take('empty', {});
      await w.take('also', { exclusive: [], shared: [] });
      await w.see({ held: ['holder', 'empty', 'also'], pending: ['waiting'] });
      check(empty.grant.token > 0, 'an empty set has no token');
      await empty.release();
      await w.see({ held: ['holder', 'also'], pending: ['waiting'] });
    });

    test('a resource named twice counts once, and does not wait for itself', async (w) => {
      const twice = await w.take('twice', { exclusive: ['a', 'b', 'a'], shared: ['c', 'c'] });
      const { set } = entryOf(await w.domain.query(), 'twice');
      equal(set, { exclusive: ['a', 'b'], shared: ['c'] }, 'what is held');
      await w.ask('next', { exclusive: ['c', 'a'] });
      await twice.release();
      await w.see({ held: ['next'] });
    });

    test('a resource named both ways is exclusive', async (w) => {
      const both = await w.take('both', { exclusive: ['b', 'a'], shared: ['c', 'a', 'b'] });
      const { set } = entryOf(await w.domain.query(), 'both');
      equal(set, { exclusive: ['b', 'a'], shared: ['c'] }, 'what is held');
      equal(await w.domain.tryAcquire({ shared: 'a' }), null, 'a try of the exclusive one');
      await w.ask('reader', { shared: 'a' });
      await w.take('sharer', { shared: 'c' });
      await both.release();
      await w.see({ held: ['sharer', 'reader'] });
    });

    test('a set as large as may be is granted, and one larger is refused', async (w) => {
      const names = Array.from({ length: setSizeMax }, (_, index) => `r${index}`);
      const all = await w.take('all', { shared: names });
      const last = names.at(-1) as string;
      await w.ask('one', { exclusive: last });
      await w.see({ held: ['all'], pending: ['one'] });
      await all.release();
      await w.see({ held: ['one'] });
      const more = { exclusive: names, shared: 'one more' };
      await fails(() => w.domain.acquire(more), 'KDS_LIMIT', 'one more than may be');
      await fails(() => w.domain.prepare(more), 'KDS_LIMIT', 'one more than may be');
      await w.see({ held: ['one'] });
    });

    test('the set that was asked for is not changed by what its caller does to it', async (w) => {
      const names = ['a', 'b'];
      const spec = { exclusive: names };
      await w.take('holder', { exclusive: 'a' });
      await w.ask('waiting', spec);
      names.length = 0;
      spec.exclusive = ['c'];
      const { set } = entryOf(await w.domain.query(), 'waiting');
      equal(set.exclusive, ['a', 'b'], 'what is waited for');
    });
  });

  group('handles', () => {
    test('a handle with a name stands for the same resource as the name', async (w) => {
      const resource = w.domain.resource('a');
      equal(resource.name, 'a', 'its name');
      const one = await w.take('one', { exclusive: resource });
      equal(await w.domain.tryAcquire({ shared: 'a' }), null, 'a try by name');
      await one.release();
      await w.take('two', { exclusive: ['a', resource, 'b'] });
      equal(await w.domain.tryAcquire({ shared: resource }), null, 'a try by handle');
      const { set } = entryOf(await w.domain.query(), 'two');
      equal(set.exclusive, ['a', 'b'], 'what is held');
    });

    test('a handle made while its name is held stands for that resource', async (w) => {
      await w.take('holder', { exclusive: 'a' });
      const resource = w.domain.resource('a');
      equal(await w.domain.tryAcquire({ shared: resource }), null, 'a try by handle');
    });

    test('the same open handle is returned for a name each time', async (w) => {
      const resource = w.domain.resource('a');
      check(w.domain.resource('a') === resource, 'two handles for one name');
      check(w.domain.resource('b') !== resource, 'one handle for two names');
      check(w.domain.session().resource('a') === resource, 'sessions have other handles');
    });

    test('handles without a name are resources that nothing else reaches', async (w) => {
      const [one, two] = [w.domain.resource(), w.domain.resource()];
      equal(one.name, undefined, 'its name');
      const holder = await w.take('one', { exclusive: one });
      await w.take('two', { exclusive: two });
      const { exclusive } = entryOf(await w.domain.query(), 'one').set;
      check(/^#\d+$/.test(exclusive[0] ?? ''), `its name in the entry is ${exclusive[0]}`);
      await w.take('a name', { exclusive: exclusive[0] ?? '' });
      await w.ask('next', { shared: one });
      await w.see({ held: ['one', 'two', 'a name'], pending: ['next'] });
      await holder.release();
      await w.see({ held: ['two', 'a name', 'next'] });
    });

    test('a handle that is used or waited on cannot be closed', async (w) => {
      const [a, b] = [w.domain.resource('a'), w.domain.resource('b')];
      const holder = await w.take('holder', { shared: a });
      const waiting = await w.ask('waiting', { exclusive: [a, b] });
      mentions(await fails(() => a.close(), 'KDS_RESOURCE_BUSY', 'held'), '"a"');
      mentions(await fails(() => b.close(), 'KDS_RESOURCE_BUSY', 'waited on'), '"b"');
      await w.see({ held: ['holder'], pending: ['waiting'] });
      await waiting.cancel();
      await b.close();
      await holder.release();
      await a.close();
    });

    test('a closed handle is refused, and its name can be used afresh', async (w) => {
      const resource = w.domain.resource('a');
      await (await w.take('before', { exclusive: resource })).release();
      await resource.close();
      await resource.close();
      await fails(() => w.domain.acquire({ exclusive: ['b', resource] }), 'KDS_INVALID_SET');
      await fails(() => w.domain.prepare({ shared: resource }), 'KDS_INVALID_SET');
      await w.see({});
      const again = w.domain.resource('a');
      check(again !== resource, 'a closed handle is given out again');
      await w.take('holder', { exclusive: 'a' });
      equal(await w.domain.tryAcquire({ shared: again }), null, 'a try by the new handle');
      await fails(() => w.domain.tryAcquire({ shared: resource }), 'KDS_INVALID_SET');
    });

    test('handles and prepared sets of another domain are refused', async (w) => {
      const stranger = await w.backend.open();
      try {
        const resource = stranger.domain.resource('a');
        const prepared = stranger.domain.prepare({ exclusive: 'a' });
        const refused = 'KDS_INVALID_SET';
        await fails(() => w.domain.acquire({ exclusive: ['b', resource] }), refused, 'handle');
        await fails(() => w.domain.prepare({ shared: resource }), refused, 'handle, prepared');
        await fails(() => w.domain.tryAcquire(prepared), refused, 'prepared set');
        await fails(() => w.domain.prepare(prepared), refused, 'prepared set, prepared');
        await w.see({});
        await w.take('own', { exclusive: ['a', 'b'] });
      } finally {
        await stranger.close();
      }
    });
  });

  group('prepared sets', () => {
    test('a prepared set is as good as what it was made of, any number of times', async (w) => {
      const resource = w.domain.resource();
      const set = w.domain.prepare({ exclusive: ['a', resource, 'a'], shared: ['b', 'a'] });
      equal(set.exclusive.length, 2, 'exclusive ones, without doubles');
      check(set.exclusive.includes(resource), 'its exclusive ones lack the handle');
      equal(set.shared, ['b'], 'shared ones, without doubles');
      for (let round = 0; round < 3; round++) {
        const one = await w.take('one', set);
        const two = await w.ask('two', set);
        await w.ask('by name', { exclusive: 'a' });
        await w.see({ held: ['one'], pending: ['two', 'by name'] });
        await one.release();
        await two.release();
        await w.see({ held: ['by name'] });
        await (await w.take('reader', { shared: 'b' })).release();
        for (const { label } of (await w.domain.query()).held) equal(label, 'by name', 'holder');
        await w.endAll();
      }
    });

    test('a prepared set is good for sessions and for preparing again', async (w) => {
      const set = w.domain.prepare({ exclusive: 'a' });
      const session = w.domain.session();
      await w.take('session', set, {}, session);
      await w.ask('domain', session.prepare(set));
      await w.see({ held: ['session'], pending: ['domain'] });
    });

    test('a prepared set is not changed by what its maker does to the lists', async (w) => {
      const names = ['a'];
      const set = w.domain.prepare({ exclusive: names });
      names[0] = 'b';
      await w.take('one', set);
      equal(entryOf(await w.domain.query(), 'one').set.exclusive, ['a'], 'what is held');
    });

    test('a prepared set is refused once a handle of it is closed', async (w) => {
      const resource = w.domain.resource('a');
      const byHandle = w.domain.prepare({ exclusive: [resource, 'b'] });
      const byName = w.domain.prepare({ exclusive: ['a', 'b'] });
      await resource.close();
      await fails(() => w.domain.acquire(byHandle), 'KDS_INVALID_SET');
      await w.see({});
      await w.take('by name', byName);
      equal(await w.domain.tryAcquire({ shared: 'a' }), null, 'a try by name');
    });

    test('nothing is held for a set that is prepared', async (w) => {
      const set = w.domain.prepare({ exclusive: 'a' });
      await w.see({});
      const holder = await w.take('holder', { exclusive: 'a' });
      equal(await w.domain.tryAcquire(set), null, 'a try of what is held');
      await holder.release();
      await w.take('one', set);
    });
  });
}

/** Short enough to be a label. */
function show(name: string): string {
  return JSON.stringify(name.length < 50 ? name : `${name.slice(-50)} (${name.length})`);
}
