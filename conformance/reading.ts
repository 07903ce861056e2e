/**
 * Reading what is asked for. Options, sets and lists may run code of the caller's as they are read
 * (getters, proxies), and that code may use the domain: the caller gets exactly what it named.
 */

import type { Domain } from '../src/api/domain.ts';
import type { AcquireOptions } from '../src/api/options.ts';
import type { SetSpec } from '../src/api/sets.ts';
import { check, equal, fails, failureOf } from './assertions.ts';
import type { Suite } from './suite.ts';
import { entryOf, type World } from './world.ts';

const nothing = () => undefined;

/** A set and options, or a part of a set, that call `meddle` as they are read. */
interface Meddling {
  readonly set: SetSpec;
  readonly options: AcquireOptions;
}

/** Each way in which reading runs code of the caller's. All of them name exclusive a and b. */
const meddlings: Readonly<Record<string, (meddle: () => void) => Meddling>> = {
  'a getter of the set': (meddle) => {
    const set = {
      get exclusive() {
        meddle();
        return ['a', 'b'];
      },
    };
    return { set, options: { label: 'reads' } };
  },
  'a getter of an option': (meddle) => {
    const options = {
      label: 'reads',
      get timeoutMs() {
        meddle();
        return Number.POSITIVE_INFINITY;
      },
    };
    return { set: { exclusive: ['a', 'b'] }, options };
  },
  'a proxied list': (meddle) => {
    const list = new Proxy(['a', 'b'], {
      get: (target, key) => {
        if (key === '1') meddle();
        return Reflect.get(target, key);
      },
    });
    return { set: { exclusive: list }, options: { label: 'reads' } };
  },
  'the length of a list': (meddle) => {
    const list = new Proxy(['a', 'b'], {
      get: (target, key) => {
        if (key === 'length') meddle();
        return Reflect.get(target, key);
      },
    });
    return { set: { exclusive: list }, options: { label: 'reads' } };
  },
  'a proxied set': (meddle) => {
    const set = new Proxy({ exclusive: ['a', 'b'] } as SetSpec, {
      ownKeys: (target) => {
        meddle();
        return Reflect.ownKeys(target);
      },
    });
    return { set, options: { label: 'reads' } };
  },
};

/** Asks for other resources, of which the one being read must take no notice. */
function useOtherwise(domain: Domain, count: number): void {
  const names = Array.from({ length: count }, (_, index) => `other ${index}`);
  void domain.tryAcquire({ shared: names }).then((grant) => grant?.release());
  domain.enqueue({ exclusive: 'z', shared: 'y' }, (grant) => void grant.release());
  domain.prepare({ exclusive: ['y', 'z'] });
}

export function testReading({ group, test, needing }: Suite): void {
  group('reading', () => {
    for (const [what, meddling] of Object.entries(meddlings)) {
      test(`${what} that uses the domain: the set is the one that was asked for`, async (w) => {
        for (const count of [1, 2, 100]) {
          const { set, options } = meddling(() => useOtherwise(w.domain, count));
          const label = 'reads';
          const grant = await w.domain.acquire(set, options);
          await seeOnly(w, label);
          await grant.release();
          await w.domain.run(set, options, () => seeOnly(w, label));
          const enqueued = await new Promise<{ release(): unknown }>((resolve) => {
            w.domain.enqueue(set, resolve, options);
          });
          await seeOnly(w, label);
          await enqueued.release();
          const tried = await w.domain.tryAcquire(set, { label });
          await seeOnly(w, label);
          await tried?.release();
          await w.take(label, w.domain.prepare(set));
          await seeOnly(w, label);
          await w.endAll();
        }
      });

      test(`${what} that closes the session: nothing is granted by it`, async (w) => {
        const session = w.domain.session();
        const { set, options } = meddling(() => void session.close());
        await fails(() => session.acquire(set, options), 'KDS_DOMAIN_CLOSED', 'acquire');
        await w.free('a', 'b');
        const other = w.domain.session();
        const again = meddling(() => void other.close());
        await fails(
          () => other.enqueue(again.set, nothing, again.options),
          'KDS_DOMAIN_CLOSED',
          'enqueue',
        );
        await w.free('a', 'b');
      });
    }

    test('each option, list and element is read once', async (w) => {
      const reads: string[] = [];
      const noting = <T extends object>(name: string, target: T): T =>
        new Proxy(target, {
          get: (_, key) => {
            reads.push(`${name}.${String(key)}`);
            return Reflect.get(target, key);
          },
        });
      const set = () =>
        noting('set', { exclusive: noting('list', ['a', 'b']), shared: noting('more', ['c']) });
      const options = () => {
        const { signal } = new AbortController();
        const own = { label: 'reads', timeoutMs: 60_000, locked: 'wait', steal: false } as const;
        return noting('options', { ...own, signal, holding: noting('holding', []) });
      };
      const once = (what: string) => {
        const twice = reads.filter((read, index) => reads.indexOf(read) !== index);
        equal(twice, [], `read more than once by ${what}`);
        check(reads.includes('list.1'), `${what} does not read the list`);
        reads.length = 0;
      };
      const holder = await w.domain.acquire(set(), options());
      once('acquire');
      const waiting = w.domain.acquire(set(), options());
      once('acquire of what is held');
      const enqueued = w.domain.enqueue(set(), nothing, options());
      once('enqueue');
      equal(enqueued.cancel(), true, 'cancel()');
      const running = w.domain.run(set(), options(), nothing);
      once('run');
      w.domain.prepare(set());
      once('prepare');
      equal(await w.domain.tryAcquire(set()), null, 'a try of what is held');
      once('tryAcquire');
      await holder.release();
      await (await waiting).release();
      await running;
    });

    const part = needing('part-release', 'downgrade');
    part('a part that uses the grant while it is read is a part of what is left', async (w) => {
      const grant = await w.domain.acquire({ exclusive: ['a', 'b', 'c'] }, { label: 'reads' });
      const listOf = (meddle: () => void) =>
        new Proxy(['b'], {
          get: (target, key) => {
            if (key === '0') meddle();
            return Reflect.get(target, key);
          },
        });
      await grant.downgrade(listOf(() => void grant.release('a')));
      const { set } = entryOf(await w.domain.query(), 'reads');
      equal(set, { exclusive: ['c'], shared: ['b'] }, 'what is left');
      await fails(() => grant.release(listOf(() => void grant.release('b'))), 'KDS_INVALID_SET');
      await fails(() => grant.release(listOf(() => void grant.release())), 'KDS_GRANT_LOST');
      await w.free('a', 'b', 'c');
    });

    const settled = needing('settled');
    settled('what is observed is the set that was asked for', async (w) => {
      for (const meddling of Object.values(meddlings)) {
        const { set } = meddling(() => useOtherwise(w.domain, 2));
        const holder = await w.take('holder', { exclusive: 'b' });
        const end = failureOf(() => w.domain.settled(set, { timeoutMs: 0 }));
        equal(((await end) as Error).name, 'TimeoutError', 'while it is held');
        await holder.release();
        await w.domain.settled(set);
      }
    });

    test('a proxy of a handle or of a prepared set is no such thing', async (w) => {
      const resource = w.domain.resource('a');
      const proxied = new Proxy(resource, {});
      const prepared = new Proxy(w.domain.prepare({ exclusive: 'a' }), {});
      await fails(() => w.domain.acquire({ exclusive: proxied }), 'KDS_INVALID_SET', 'a handle');
      await fails(() => w.domain.acquire({ exclusive: ['b', proxied] }), 'KDS_INVALID_SET', 'one');
      const grant = await w.domain.acquire(prepared).catch(() => undefined);
      // A backend may take it for the plain set that it shows.
      await grant?.release();
      await w.free('a', 'b');
    });
  });
}

/** That the request holds what it asked for, and nothing else. */
async function seeOnly(w: World, label: string): Promise<void> {
  const { set } = entryOf(await w.domain.query(), label);
  equal(set, { exclusive: ['a', 'b'], shared: [] }, 'what is held');
  equal(await w.domain.tryAcquire({ shared: 'a' }), null, 'a try of the first');
  equal(await w.domain.tryAcquire({ shared: 'b' }), null, 'a try of the second');
}
