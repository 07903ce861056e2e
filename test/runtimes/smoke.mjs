/**
 * What a program of any runtime uses most: one check for each promise, with nothing but globals of
 * the web, so that the same file runs in Node, Bun, Deno, a page and a bare context.
 */

import { createDomain } from 'kds';
import { exportFence, Fence, importFence } from 'kds/fences';
import { createJobQueue } from 'kds/jobs';
import { grantOf, LockManager } from 'kds/web-locks';

/** For a request that must end long before. */
const longMs = 3_600_000;

const checks = {
  async 'a set is granted at once, and excludes others until it is released'() {
    const domain = createDomain();
    const grant = await domain.acquire({ exclusive: ['a', 'b'], shared: 'c' });
    same(await domain.tryAcquire({ shared: 'a' }), null);
    same((await domain.tryAcquire({ shared: 'c' })) !== null, true);
    const next = domain.acquire({ exclusive: 'b' });
    grant.release();
    const { token } = await next;
    same(token > grant.token, true);
  },

  async 'run holds the set while its function runs'() {
    const domain = createDomain();
    const order = [];
    const one = domain.run({ exclusive: 'a' }, async () => {
      order.push('one begins');
      await pause(1);
      order.push('one ends');
    });
    const two = domain.run({ exclusive: 'a' }, () => order.push('two'));
    await Promise.all([one, two]);
    same(order.join(', '), 'one begins, one ends, two');
  },

  async 'tryAcquireSync grants, or returns null'() {
    const domain = createDomain();
    const grant = domain.tryAcquireSync({ exclusive: 'a' });
    same(grant.isHeld, true);
    same(domain.tryAcquireSync({ exclusive: 'a' }), null);
    grant.release();
    same(domain.tryAcquireSync({ exclusive: 'a' })?.isHeld, true);
  },

  async 'callbacks run in arrival order'() {
    const domain = createDomain();
    const order = [];
    const all = [1, 2, 3].map(
      (number) =>
        new Promise((resolve) => {
          domain.enqueue({ exclusive: 'a' }, (grant) => {
            order.push(number);
            grant.release();
            resolve();
          });
        }),
    );
    await Promise.all(all);
    same(order.join(), '1,2,3');
  },

  async 'a time limit ends a request, and names the holder'() {
    const domain = createDomain();
    await domain.acquire({ exclusive: 'a' }, { label: 'the holder' });
    const error = await reasonOf(domain.acquire({ shared: 'a' }, { timeoutMs: 5 }));
    same(error.code, 'KDS_WAIT_TIMEOUT');
    same(error.message.includes('the holder'), true);
  },

  async 'an aborted signal ends a request with its own reason'() {
    const domain = createDomain();
    await domain.acquire({ exclusive: 'a' });
    const controller = new AbortController();
    const waiting = reasonOf(domain.acquire({ shared: 'a' }, { signal: controller.signal }));
    const reason = new Error('not needed');
    controller.abort(reason);
    same(await waiting, reason);
  },

  async 'the signal of a stolen grant aborts'() {
    const domain = createDomain();
    const grant = await domain.acquire({ exclusive: 'a' });
    const { signal } = grant;
    await domain.acquire({ exclusive: 'a' }, { steal: true });
    same(signal.aborted, true);
    same(grant.isHeld, false);
  },

  async 'a snapshot has the holder, and what waits for it'() {
    const domain = createDomain();
    await domain.acquire({ exclusive: 'a' }, { label: 'one' });
    reasonOf(domain.acquire({ shared: 'a' }, { label: 'two' }));
    const { held, pending } = await domain.query();
    same(held.length === 1 && pending.length === 1, true);
    same(`${held[0].label}, ${pending[0].label}`, 'one, two');
    same(pending[0].waitingFor[0], held[0].id);
  },

  async 'close ends requests and grants'() {
    const domain = createDomain();
    const grant = await domain.acquire({ exclusive: 'a' });
    const waiting = reasonOf(domain.acquire({ exclusive: 'a' }, { timeoutMs: longMs }));
    await domain.close();
    same((await waiting).code, 'KDS_DOMAIN_CLOSED');
    same(grant.isHeld, false);
  },

  async 'a nested request that would wait for itself is refused'() {
    const domain = createDomain();
    const grant = await domain.acquire({ exclusive: 'a' });
    const error = await reasonOf(domain.acquire({ exclusive: 'a' }, { holding: grant }));
    same(error.code, 'KDS_DEADLOCK');
  },

  async 'jobs run in the order of submission where they conflict'() {
    const order = [];
    const queue = createJobQueue(createDomain(), { concurrency: 4 });
    queue.submit({ writes: 'mesh', run: () => pause(1).then(() => order.push('mesh')) });
    queue.submit({ reads: 'mesh', writes: 'shadows', run: () => order.push('shadows') });
    queue.submit({ reads: 'shadows', run: () => order.push('picture') });
    const counts = await queue.drain();
    same(counts.done, 3);
    same(order.join(', '), 'mesh, shadows, picture');
  },

  async 'Web Locks: a request, one that is shared, and one that is not available'() {
    const locks = new LockManager(createDomain());
    const seen = await locks.request('a', async (lock) => {
      const other = await locks.request('a', { ifAvailable: true }, (missing) => missing);
      const { held } = await locks.query();
      return [lock.mode, other, held.length, typeof grantOf(lock).token].join();
    });
    same(seen, 'exclusive,,1,number');
    same(await locks.request('a', { mode: 'shared' }, ({ mode }) => mode), 'shared');
    await locks.close();
  },

  async 'fences: a set waits for a fence, and a fence for a set'() {
    const domain = createDomain();
    const grant = await domain.acquire({ exclusive: 'a' });
    let isOver = false;
    const over = exportFence(domain, { exclusive: 'a' }).then(() => {
      isOver = true;
    });
    await pause(1);
    same(isOver, false);
    grant.release();
    await over;
    const fence = new Fence();
    importFence(domain, { exclusive: 'b' }, fence, { limitMs: longMs });
    same(await domain.tryAcquire({ shared: 'b' }), null);
    fence.signal();
    await domain.acquire({ shared: 'b' }, { timeoutMs: longMs });
  },
};

/** Runs all checks, one after the other. Resolves with the names of those that passed, and faults. */
export async function runSmoke() {
  const passed = [];
  const failed = [];
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check();
      passed.push(name);
    } catch (error) {
      failed.push(`${name}: ${error?.stack ?? error}`);
    }
  }
  return { passed, failed };
}

function same(actual, expected) {
  if (!Object.is(actual, expected)) throw new Error(`${String(actual)} is not ${String(expected)}`);
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** What a promise rejects with. */
function reasonOf(promise) {
  return promise.then(
    () => new Error('it was fulfilled'),
    (reason) => reason,
  );
}
