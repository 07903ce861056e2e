/**
 * The asynchronous context (AsyncLocalStorage) that callbacks run in: that of the request, and not
 * of the release. Log lines, traces and tenants depend on it.
 */

import { Callback } from '../src/api/callback.ts';
import type { Domain } from '../src/api/domain.ts';
import { equal, within } from './assertions.ts';
import type { Suite } from './suite.ts';
import type { World } from './world.ts';

interface Storage {
  run<R>(store: string | undefined, fn: () => R): R;
  getStore(): string | undefined;
}

const deliveries = ['queued', 'direct', 'a callback object'] as const;

interface AsyncHooks {
  readonly AsyncLocalStorage: new () => Storage;
}

export function testContexts({ group, test: testIn, runner }: Suite): void {
  const load = globalThis.process?.getBuiltinModule as ((id: string) => unknown) | undefined;
  const hooks = load?.('async_hooks') as AsyncHooks | undefined;
  const test = (name: string, body: (w: World, storage: Storage) => Promise<void>): void => {
    if (hooks !== undefined) testIn(name, (w) => body(w, new hooks.AsyncLocalStorage()));
    else runner.it.skip(`${name} (no AsyncLocalStorage in this runtime)`, async () => undefined);
  };
  group('asynchronous contexts', () => {
    for (const how of deliveries) {
      const delivery = () =>
        how === 'a callback object' ? new Callback({}, (grant, onGrant) => onGrant(grant)) : how;

      test(`a ${how} callback runs in the context of its request`, async (w, storage) => {
        for (const store of ['mine', undefined]) {
          const free = stored(storage, store, (done) =>
            w.domain.enqueue({ shared: 'b' }, done, { delivery: delivery() }),
          );
          equal(await free, store, 'where it is granted at once');
          const holder = await storage.run('holder', () => w.domain.acquire({ exclusive: 'a' }));
          const waited = stored(storage, store, (done) =>
            w.domain.enqueue({ exclusive: 'a' }, done, { delivery: delivery() }),
          );
          await w.domain.query();
          await storage.run('of the releaser', () => holder.release());
          equal(await waited, store, 'where it has waited');
        }
      });
    }

    test('so does onRefused', async (w, storage) => {
      await w.take('holder', { exclusive: 'a' });
      for (const store of ['mine', undefined]) {
        const stop = new AbortController();
        const seen = new Promise<string | undefined>((resolve) => {
          const onRefused = () => resolve(storage.getStore());
          const options = { signal: stop.signal, onRefused };
          storage.run(store, () => w.domain.enqueue({ shared: 'a' }, () => undefined, options));
        });
        await w.domain.query();
        storage.run('of the aborter', () => stop.abort());
        equal(await within(seen, 'the refusal'), store, 'the store');
      }
    });

    test('so do promises, and the function of run', async (w, storage) => {
      for (const store of ['mine', undefined]) {
        const holder = await w.take('holder', { exclusive: 'a' });
        const running = storage.run(store, () =>
          w.domain.run({ exclusive: 'a' }, () => storage.getStore()),
        );
        await w.domain.query();
        await storage.run('of the releaser', () => holder.release());
        equal(await running, store, 'the store');
      }
    });
  });
}

/** The store that a callback sees; its grant is released. */
function stored(
  storage: Storage,
  store: string | undefined,
  ask: (onGrant: Parameters<Domain['enqueue']>[1]) => unknown,
): Promise<string | undefined> {
  const seen = new Promise<string | undefined>((resolve) => {
    storage.run(store, () =>
      ask((grant) => {
        resolve(storage.getStore());
        void grant.release();
      }),
    );
  });
  return within(seen, 'the callback');
}
