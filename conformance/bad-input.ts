/** What is no set, no option, no function: refused as documented, and without a trace. */

import type { Domain } from '../src/api/domain.ts';
import { labelLengthMax } from '../src/api/limits.ts';
import type { AcquireOptions, EnqueueOptions } from '../src/api/options.ts';
import type { SetSpec } from '../src/api/sets.ts';
import { check, equal, fails, failureOf, show } from './assertions.ts';
import type { Suite } from './suite.ts';

const nothing = () => undefined;

const notSets: readonly unknown[] = [
  null,
  undefined,
  5,
  'a',
  true,
  nothing,
  [],
  ['a'],
  new Set(['a']),
  new Map([['exclusive', 'a']]),
  { exclusive: 'a', share: 'b' },
  { exclusives: ['a'] },
  { Exclusive: 'a' },
  { exclusive: 5 },
  { exclusive: null },
  { exclusive: {} },
  { exclusive: ['a', 5] },
  { exclusive: ['a', null] },
  { exclusive: ['a', undefined] },
  { exclusive: ['a', ['b']] },
  { exclusive: ['a', { name: 'b' }] },
  { exclusive: new Set(['a']) },
  { shared: [Symbol('a')] },
  { exclusive: 'a', shared: [5n] },
  { exclusive: undefined },
  { shared: undefined },
  { exclusive: undefined, shared: 'a' },
  { exclusive: 'a', shared: undefined },
  { exclusive: undefined, shared: undefined },
  Promise.resolve({ exclusive: 'a' }),
  new Date(0),
  /a/,
  new Error('a set'),
  new (class Resources {})(),
  new URLSearchParams('exclusive=a'),
  new ArrayBuffer(1),
  { [Symbol('exclusive')]: 'a' },
  Object.create({ share: 'a' }),
  Object.defineProperty({}, 'share', { value: 'a' }),
  (function (..._: unknown[]) {
    // biome-ignore lint/complexity/noArguments: it is a list that is not an array.
    return arguments;
  })('a'),
];

const notOptions: readonly unknown[] = [
  null,
  5,
  'options',
  { label: 5 },
  { label: null },
  { locked: 'maybe' },
  { steal: 'yes' },
  { steal: 1 },
  { timeoutMs: '5' },
  { signal: {} },
  { holding: 5 },
];

/** Each way to name a set. */
function callsWith(domain: Domain, set: SetSpec): readonly (() => unknown)[] {
  return [
    () => domain.acquire(set),
    () => domain.acquire(set, { timeoutMs: 0 }),
    () => domain.tryAcquire(set),
    () => domain.run(set, nothing),
    () => domain.enqueue(set, nothing),
    () => domain.prepare(set),
  ];
}

export function testBadInput({ group, test, needing }: Suite): void {
  group('bad input', () => {
    test('what is no set is refused by every call, and leaves no trace', async (w) => {
      await w.take('holder', { exclusive: 'held' });
      for (const wrong of notSets) {
        for (const call of callsWith(w.domain, wrong as SetSpec)) {
          await fails(call, 'KDS_INVALID_SET', show(wrong));
        }
      }
      await w.see({ held: ['holder'] });
      await w.free('a', 'b');
    });

    test('an empty object is the empty set, and so is one of no prototype', async (w) => {
      await w.take('holder', { exclusive: 'a' });
      for (const empty of [{}, Object.create(null), Object.freeze({})] as readonly SetSpec[]) {
        await (await w.domain.acquire(empty)).release();
        const { exclusive, shared } = w.domain.prepare(empty);
        equal({ exclusive, shared }, { exclusive: [], shared: [] }, 'prepared');
      }
    });

    test('an object whose class names resources is a set', async (w) => {
      class Resources {
        get exclusive(): string {
          return 'a';
        }
      }
      const inherited = Object.create({ exclusive: 'a' }) as SetSpec;
      for (const set of [new Resources(), inherited]) {
        const grant = await w.domain.acquire(set);
        equal(await w.domain.tryAcquire({ shared: 'a' }), null, 'a try of what it names');
        await grant.release();
      }
    });

    test('options that are none are refused, and leave no trace', async (w) => {
      await w.take('holder', { exclusive: 'a' });
      for (const wrong of notOptions) {
        for (const set of [{ exclusive: 'b' }, { exclusive: ['b', 'a'] }]) {
          const options = wrong as AcquireOptions;
          await fails(() => w.domain.acquire(set, options), 'TypeError', show(wrong));
          await fails(() => w.domain.run(set, options, nothing), 'TypeError', show(wrong));
          await fails(() => w.domain.enqueue(set, nothing, options), 'TypeError', show(wrong));
        }
      }
      await w.see({ held: ['holder'] });
      await w.free('b');
    });

    test('a label is a string of limited length', async (w) => {
      const { domain } = w;
      const label = 'x'.repeat(labelLengthMax);
      await w.take(label, { exclusive: 'b' });
      await w.see({ held: [label] });
      const long = { label: `${label}x` };
      const none = { label: 5 as unknown as string };
      const set = { exclusive: 'a' };
      for (const [options, kind] of [
        [long, 'KDS_LIMIT'],
        [none, 'TypeError'],
      ] as const) {
        await fails(() => domain.acquire(set, options), kind, 'acquire');
        await fails(() => domain.tryAcquire(set, options), kind, 'tryAcquire');
        await fails(() => domain.enqueue(set, nothing, options), kind, 'enqueue');
        await fails(() => domain.session(options), kind, 'session');
      }
      await w.free('a');
    });

    test('a callback is a function, and a delivery is one of three', async (w) => {
      const set = { exclusive: 'a' };
      for (const wrong of [undefined, null, 5, 'fn', {}]) {
        const fn = wrong as unknown as () => void;
        await fails(() => w.domain.enqueue(set, fn), 'TypeError', show(wrong));
      }
      for (const wrong of [null, '', 'sync', 5, {}, nothing]) {
        const delivery = wrong as EnqueueOptions['delivery'];
        await fails(() => w.domain.enqueue(set, nothing, { delivery }), 'TypeError', show(wrong));
      }
      for (const wrong of [null, 5, 'fn', {}]) {
        const onRefused = wrong as unknown as () => void;
        await fails(() => w.domain.enqueue(set, nothing, { onRefused }), 'TypeError', show(wrong));
      }
      await w.free('a');
    });

    test('the name of a handle is a string', async (w) => {
      for (const wrong of [null, 5, {}, ['a'], Symbol('a')]) {
        const name = wrong as unknown as string;
        await fails(() => w.domain.resource(name), 'KDS_INVALID_SET', show(wrong));
      }
    });

    test('a set that cannot be read to its end leaves no trace', async (w) => {
      const error = new Error('on purpose');
      const set = {
        exclusive: ['a', 'b'],
        get shared(): string {
          throw error;
        },
      };
      check((await failureOf(() => w.domain.acquire(set))) === error, 'another error is thrown');
      await w.free('a', 'b');
    });

    const sync = needing('sync');
    sync('synchronous requests refuse the same', async (w) => {
      const holder = w.sync.acquireSync({ exclusive: 'held' }, { label: 'holder' });
      for (const wrong of notSets) {
        const set = wrong as SetSpec;
        await fails(() => w.sync.tryAcquireSync(set), 'KDS_INVALID_SET', show(wrong));
        await fails(() => w.sync.acquireSync(set), 'KDS_INVALID_SET', show(wrong));
      }
      const set = { exclusive: 'a' };
      await fails(() => w.sync.acquireSync(set, { timeoutMs: Number.NaN }), 'RangeError');
      await fails(() => w.sync.acquireSync(set, { timeoutMs: -1 }), 'RangeError');
      const none = { timeoutMs: '1' as unknown as number };
      await fails(() => w.sync.acquireSync(set, none), 'TypeError');
      const label = 'x'.repeat(labelLengthMax + 1);
      await fails(() => w.sync.acquireSync(set, { label }), 'KDS_LIMIT');
      await fails(() => w.sync.tryAcquireSync(set, { label }), 'KDS_LIMIT');
      await w.see({ held: ['holder'] });
      await w.free('a');
      holder.release();
    });
  });
}
