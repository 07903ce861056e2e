/** The asynchronous context of a lock's callback, and signals that abort while listened to. */

import { AsyncLocalStorage } from 'node:async_hooks';
import { createDomain } from 'kds';
import { LockManager } from 'kds/web-locks';
import { expect, it } from 'vitest';

it('a callback runs in the context of its request, not of the release', async () => {
  const storage = new AsyncLocalStorage<string | undefined>();
  const domain = createDomain();
  const locks = new LockManager(domain);
  for (const store of ['mine', undefined]) {
    const holder = await domain.acquire({ exclusive: 'a' });
    const seen = storage.run(store, () => locks.request('a', () => storage.getStore()));
    storage.run('of the releaser', () => holder.release());
    expect(await seen).toBe(store);
  }
});

it('a signal that aborts as it is listened to is not overlooked', async () => {
  const domain = createDomain();
  const locks = new LockManager(domain);
  const stop = new AbortController();
  const { signal } = stop;
  const listen = signal.addEventListener.bind(signal);
  signal.addEventListener = ((...args: Parameters<typeof listen>) => {
    stop.abort('just then');
    listen(...args);
  }) as typeof listen;
  await expect(locks.request('a', { signal }, () => 'never')).rejects.toBe('just then');
  expect(domain.tryAcquireSync({ exclusive: 'a' })).not.toBeNull();
});
