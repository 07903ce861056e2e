/** Deadlines of one event loop: any length, never early, and whatever the system's clock does. */

import { createDomain, type SetSpec, type SyncGrant } from 'kds';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ChildProcesses } from './child.ts';
import { tracesIn } from './inside.ts';

const exclusive = { exclusive: 'a' };
const dayMs = 86_400_000;

describe('timeoutMs', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** A request behind a holder, and when it was refused, in ms. */
  function waitFor(timeoutMs: number) {
    const domain = createDomain();
    const holder = domain.acquireSync(exclusive);
    const startMs = performance.now();
    const seen: { refusedAfterMs?: number; reason?: unknown } = {};
    const waiting = domain.acquire(exclusive, { timeoutMs }).catch((reason) => {
      seen.refusedAfterMs = performance.now() - startMs;
      seen.reason = reason;
    });
    return { domain, holder, seen, waiting };
  }

  it.each([1, 2, 30, 1000.5, 2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 2 ** 33, 400 * dayMs])(
    'refuses after %d ms, and not before',
    async (timeoutMs) => {
      const { domain, holder, seen } = waitFor(timeoutMs);
      await vi.advanceTimersByTimeAsync(Math.ceil(timeoutMs) - 1);
      expect(seen).toEqual({});
      expect(domain.querySync().pending).toHaveLength(1);
      await vi.advanceTimersByTimeAsync(2);
      expect(seen.reason).toMatchObject({ name: 'TimeoutError', code: 'KDS_WAIT_TIMEOUT' });
      expect(seen.refusedAfterMs).toBeGreaterThanOrEqual(timeoutMs);
      holder.release();
      expect(tracesIn(domain)).toEqual([]);
    },
  );

  it('ends requests together that are due together: none is granted as another goes', async () => {
    const domain = createDomain();
    const reader = domain.acquireSync({ shared: 'a' });
    const refused: string[] = [];
    const ask = (label: string, set: SetSpec, timeoutMs: number) =>
      domain.acquire(set, { label, timeoutMs }).catch(({ message }) => {
        refused.push(`${label}: ${message}`);
      });
    ask('reader behind', { shared: 'a' }, 1e9);
    ask('writer', exclusive, 50);
    ask('second', { shared: 'a' }, 50);
    ask('third', { shared: 'a' }, 51);
    const last = domain.acquire({ shared: 'a' }, { timeoutMs: 1000 });
    await vi.advanceTimersByTimeAsync(50);
    expect(refused).toEqual([
      expect.stringMatching(/^writer: not granted within 50 ms: exclusive "a" is held/),
      expect.stringMatching(/^second: not granted within 50 ms: shared "a" is held/),
    ]);
    // One that was due later is granted, as nothing is in its way any more.
    expect(domain.querySync().held.map(({ label }) => label)).toContain('third');
    reader.release();
    (await last).release();
  });

  it('grants in arrival order, whichever request that ends together came first', async () => {
    const domain = createDomain();
    domain.acquireSync({ shared: ['a', 'b', 'c'] });
    for (const name of ['c', 'a', 'b']) {
      domain.acquire({ exclusive: name }, { timeoutMs: 50 }).catch(() => undefined);
    }
    const told: string[] = [];
    const tokens: number[] = [];
    for (const name of ['a', 'b', 'c']) {
      const onGrant = ({ token }: SyncGrant): void => {
        told.push(name);
        tokens.push(token);
      };
      domain.enqueue({ shared: name }, onGrant, { delivery: 'direct' });
    }
    await vi.advanceTimersByTimeAsync(50);
    expect(told).toEqual(['a', 'b', 'c']);
    expect(tokens).toEqual(tokens.toSorted((one, other) => one - other));
  });

  it('that never ends takes no timer', async () => {
    const { domain, holder, waiting } = waitFor(Number.POSITIVE_INFINITY);
    await vi.advanceTimersByTimeAsync(10);
    expect(vi.getTimerCount()).toBe(0);
    await vi.advanceTimersByTimeAsync(100 * dayMs);
    expect(domain.querySync().pending).toHaveLength(1);
    holder.release();
    await waiting;
  });

  it('leaves no timer behind when the request is granted, cancelled or aborted', async () => {
    const domain = createDomain();
    const stop = new AbortController();
    const holder = domain.acquireSync(exclusive);
    const options = { timeoutMs: 2 ** 40, signal: stop.signal };
    const granted = domain.acquire(exclusive, { timeoutMs: 2 ** 40 });
    const cancelled = domain.enqueue(exclusive, () => {}, { timeoutMs: 2 ** 40 });
    const aborted = [domain.acquire(exclusive, options), domain.settled(exclusive, options)];
    await vi.advanceTimersByTimeAsync(10);
    expect(vi.getTimerCount()).toBe(4);
    cancelled.cancel();
    stop.abort('enough');
    for (const end of aborted) await expect(end).rejects.toBe('enough');
    holder.release();
    (await granted).release();
    await vi.advanceTimersByTimeAsync(10);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is not misled when the clock of the system is set', async () => {
    const { seen } = waitFor(1000);
    vi.setSystemTime(Date.now() + dayMs);
    await vi.advanceTimersByTimeAsync(999);
    expect(seen).toEqual({});
    vi.setSystemTime(Date.now() - 2 * dayMs);
    await vi.advanceTimersByTimeAsync(2);
    expect(seen.reason).toMatchObject({ name: 'TimeoutError' });
  });
});

describe('a process', () => {
  let children: ChildProcesses;
  beforeAll(async () => {
    children = await ChildProcesses.prepare();
  });

  /** What a program prints, and its exit code: only what it asks for may keep it alive. */
  function run(program: string) {
    const { status, stdout, stderr } = children.run(`
      import { createDomain } from './kds.js';
      import { Fence, importFence } from './fences.js';
      import { LockManager } from './web-locks.js';
      const domain = createDomain();
      const holder = domain.acquireSync({ exclusive: 'a' });
      const say = (text) => console.log(text);
      const sayCode = ({ code }) => console.log(code);
      async function main() { ${program} }
      main().catch(sayCode);
    `);
    expect(stderr).toBe('');
    return `${stdout.trim()} ${status}`;
  }

  it.each([
    ['acquire', "await domain.acquire({ exclusive: 'a' }, { timeoutMs: 20 });"],
    ['run', "await domain.run({ exclusive: 'a' }, { timeoutMs: 20 }, () => {});"],
    ['settled', "await domain.settled({ exclusive: 'a' }, { timeoutMs: 20 });"],
    [
      'enqueue',
      "domain.enqueue({ exclusive: 'a' }, () => {}, { timeoutMs: 20, onRefused: sayCode });",
    ],
    ['a session', "await domain.session().acquire({ exclusive: 'a' }, { timeoutMs: 20 });"],
    ['a fence', 'await new Fence().wait({ timeoutMs: 20 });'],
    [
      'an import of a fence',
      "await importFence(domain, { exclusive: 'b' }, new Fence(), { limitMs: 20 });",
    ],
  ])('lives until the time-out of %s has been told of', (_, program) => {
    expect(run(program)).toBe('KDS_WAIT_TIMEOUT 0');
  });

  it.each([
    ['a request without a time-out', "await domain.acquire({ exclusive: 'a' });"],
    [
      'one whose time-out is Infinity',
      "await domain.acquire({ exclusive: 'a' }, { timeoutMs: Infinity });",
    ],
    [
      'a lock of the Web Locks API',
      `
      const locks = new LockManager(domain);
      await locks.request('a', () => {});
    `,
    ],
    ['a fence', 'await new Fence().wait();'],
    ['a domain in which something is held', ''],
    ['a watchdog', "createDomain({ holdWarningMs: 1e8 }).acquireSync({ exclusive: 'a' });"],
    [
      'a request whose signal is AbortSignal.timeout',
      `
      const signal = AbortSignal.timeout(1e8);
      await domain.acquire({ exclusive: 'a' }, { signal });
    `,
    ],
  ])('is not kept alive by %s', (_, program) => {
    expect(run(program)).toBe(' 0');
  });

  it.each([
    ['granted', 'holder.release();'],
    ['cancelled', 'waiter.cancel();'],
    ['aborted', 'stop.abort();'],
    ['closed with its domain', 'await domain.close();'],
  ])('ends as soon as a request with a long time-out is %s', (_, end) => {
    const told = run(`
      const stop = new AbortController();
      const options = { timeoutMs: 1e12, signal: stop.signal, onRefused: () => {} };
      const waiter = domain.enqueue({ exclusive: 'a' }, () => {}, options);
      setTimeout(async () => { ${end} }, 20);
    `);
    expect(told).toBe(' 0');
  });

  it('lives beyond the longest timer of the platform', () => {
    const told = run(`
      domain.enqueue({ exclusive: 'a' }, () => {}, { timeoutMs: 2 ** 40 });
      const active = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout');
      setImmediate(() => { say(active().length); process.exit(); });
    `);
    expect(told).toBe('1 0');
  });

  it('sets a timer again that fires before its time', () => {
    const { stdout } = children.run(`
      const late = globalThis.setTimeout;
      globalThis.setTimeout = function setTimeout(run, ms) { return late(run, ms * 0.4); };
      const { createDomain } = await import('./kds.js');
      const domain = createDomain();
      domain.acquireSync({ exclusive: 'a' });
      const startMs = performance.now();
      await domain.acquire({ exclusive: 'a' }, { timeoutMs: 100 }).catch(({ code }) => {
        console.log(code, performance.now() - startMs > 99);
      });
    `);
    expect(stdout).toBe('KDS_WAIT_TIMEOUT true\n');
  });
});

describe('since', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('is when it was granted or made, in a process that has run for long', () => {
    const domain = createDomain();
    for (const days of [1, 24, 1, 30]) {
      vi.advanceTimersByTime(days * dayMs);
      const grantedMs = Date.now();
      const grant = domain.acquireSync(exclusive);
      vi.advanceTimersByTime(5000);
      const waiter = domain.enqueue(exclusive, () => {});
      const { held, pending } = domain.querySync();
      expect(held[0]?.since).toBeCloseTo(grantedMs, -1);
      expect(pending[0]?.since).toBeCloseTo(grantedMs + 5000, -1);
      expect(() => domain.acquireSync(exclusive)).toThrow('for 5.0 s');
      waiter.cancel();
      grant.release();
    }
  });

  it('follows the clock of the system when that is set', () => {
    const domain = createDomain();
    domain.acquireSync(exclusive);
    vi.advanceTimersByTime(1000);
    const setMs = Date.now() + 3_600_000;
    vi.setSystemTime(setMs);
    vi.advanceTimersByTime(2);
    domain.acquireSync({ exclusive: 'b' });
    const { held } = domain.querySync();
    expect(held[0]?.since).toBeCloseTo(setMs - 1000, -1);
    expect(held[1]?.since).toBeCloseTo(setMs, -1);
  });
});
