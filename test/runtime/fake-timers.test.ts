/** Tests of users fake timers and clocks, whole or in part, and restore them: domains go on. */

import { createDomain, type Domain, type HoldWarning } from 'kds';
import { createFenceArena, Fence, openFence } from 'kds/fences';
import { createArena, openThreadsDomain } from 'kds/threads';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/runtime/clock.ts';
import { fakeClocks, fakeTimers, microtasks, realTime } from './fake-timers.ts';

const exclusive = { exclusive: 'a' };
const everyFake = { ...fakeTimers, ...fakeClocks };

afterEach(() => {
  for (const fake of Object.values(everyFake)) fake.restore();
});

/** How the promise ends, as soon as it does. */
function outcomeOf(promise: Promise<unknown>): { code: unknown } {
  const outcome: { code: unknown } = { code: 'pending' };
  promise.then(
    () => {
      outcome.code = 'done';
    },
    ({ code }) => {
      outcome.code = code;
    },
  );
  return outcome;
}

/** A grant made now is told to be made now. */
async function expectClockToGoOn(domain: Domain): Promise<void> {
  const grant = await domain.acquire({ exclusive: 'now' });
  const startMs = Date.now();
  await realTime(25);
  await grant.release();
  const next = await domain.acquire({ exclusive: 'now' });
  const { held } = await domain.query();
  const since = held.find(({ set }) => set.exclusive.includes('now'))?.since as number;
  // Both are cut to whole milliseconds, and Date may be set by a little meanwhile.
  expect(since).toBeGreaterThanOrEqual(startMs + 15);
  expect(since).toBeLessThanOrEqual(Date.now() + 5);
  await next.release();
}

describe.each([
  ['of one event loop', () => createDomain()],
  ['of threads', () => openThreadsDomain(createArena())],
] as const)('a domain %s', (_, open) => {
  describe.each(Object.entries(fakeTimers))('with fake timers: %s', (_, fake) => {
    it.each([
      ['acquire', (domain: Domain) => domain.acquire(exclusive, { timeoutMs: 5000 })],
      ['settled', (domain: Domain) => domain.settled(exclusive, { timeoutMs: 5000 })],
      [
        'enqueue',
        (domain: Domain) =>
          new Promise((_, onRefused) =>
            domain.enqueue(exclusive, () => {}, { timeoutMs: 5000, onRefused }),
          ),
      ],
    ] as const)('%s is refused when the fake time has passed', async (_, wait) => {
      const domain = open();
      await domain.acquire(exclusive);
      fake.install();
      const outcome = outcomeOf(wait(domain));
      fake.pass(4999);
      await microtasks();
      expect(outcome.code).toBe('pending');
      fake.pass(1);
      await microtasks();
      expect(outcome.code).toBe('KDS_WAIT_TIMEOUT');
      fake.restore();
      await domain.close();
    });

    it('a time-out longer than the longest timer is kept', async () => {
      const domain = open();
      await domain.acquire(exclusive);
      fake.install();
      const outcome = outcomeOf(domain.acquire(exclusive, { timeoutMs: 2 ** 31 + 10 }));
      fake.pass(2 ** 31 - 1);
      await microtasks();
      expect(outcome.code).toBe('pending');
      fake.pass(11);
      await microtasks();
      expect(outcome.code).toBe('KDS_WAIT_TIMEOUT');
      fake.restore();
      await domain.close();
    });

    it('a request that was granted is not refused when its time would have come', async () => {
      const domain = open();
      const holder = await domain.acquire(exclusive);
      fake.install();
      const asked = domain.acquire(exclusive, { timeoutMs: 5000 });
      await holder.release();
      const grant = await asked;
      fake.pass(6000);
      await microtasks();
      expect(grant.signal.aborted).toBe(false);
      expect((await domain.query()).held).toHaveLength(1);
      fake.restore();
      await domain.close();
    });

    it('a real time-out that is pending as they are installed is over in real time', async () => {
      const domain = open();
      await domain.acquire(exclusive);
      const asked = domain.acquire(exclusive, { timeoutMs: 30 });
      fake.install();
      await expect(asked).rejects.toMatchObject({ code: 'KDS_WAIT_TIMEOUT' });
      fake.restore();
      await domain.close();
    });

    it('a real time-out is cleared though they were installed meanwhile', async () => {
      const domain = open();
      const holder = await domain.acquire(exclusive);
      const before = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
      const asked = domain.acquire(exclusive, { timeoutMs: 1e9 });
      fake.install();
      await holder.release();
      await asked;
      const after = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
      expect(after).toBeLessThanOrEqual(before);
      fake.restore();
      await domain.close();
    });

    it('callbacks run', async () => {
      const domain = open();
      fake.install();
      const told: string[] = [];
      domain.enqueue(exclusive, () => told.push('queued'));
      await microtasks();
      expect(told).toEqual(['queued']);
      fake.restore();
      await domain.close();
    });

    it('long holds are reported, then and after a restore', async () => {
      const warnings: (string | undefined)[] = [];
      const onHoldWarning = ({ label }: HoldWarning) => void warnings.push(label);
      const options = { holdWarningMs: 40, onHoldWarning };
      const domain =
        open === openProcess ? createDomain(options) : openThreadsDomain(createArena(), options);
      fake.install();
      await domain.acquire({ exclusive: 'x' }, { label: 'faked' });
      fake.pass(45);
      expect(warnings).toEqual(['faked']);
      await domain.acquire({ exclusive: 'y' }, { label: 'lost' });
      fake.restore();
      await domain.acquire({ exclusive: 'z' }, { label: 'real' });
      await vi.waitFor(() => expect(warnings.toSorted()).toEqual(['faked', 'lost', 'real']), {
        timeout: 20_000,
      });
      await domain.close();
    });
  });

  describe.each(Object.entries(everyFake))('after fake timers: %s', (_, fake) => {
    it('the clock of a domain made before them goes on', async () => {
      const domain = open();
      await expectClockToGoOn(domain);
      fake.install();
      await domain.acquire({ exclusive: 'under' });
      fake.pass(3_600_000);
      await domain.acquire({ exclusive: 'later' });
      fake.restore();
      await expectClockToGoOn(domain);
      const nowMs = Date.now();
      for (const { since } of (await domain.query()).held) {
        expect(since).toBeLessThanOrEqual(nowMs + 5);
        expect(since).toBeGreaterThan(nowMs - 7_200_000);
      }
      await domain.close();
    });

    it('that of a domain made under them goes on, as do its time-outs', async () => {
      fake.install();
      const domain = open();
      await domain.acquire(exclusive);
      fake.pass(1000);
      await domain.acquire({ exclusive: 'b' });
      fake.restore();
      await expectClockToGoOn(domain);
      const refused = domain.acquire(exclusive, { timeoutMs: 20 });
      await expect(refused).rejects.toMatchObject({ code: 'KDS_WAIT_TIMEOUT' });
      await domain.close();
    });
  });
});

const openProcess = (): Domain => createDomain();

it.each(Object.entries(fakeClocks))('time-outs are real where timers are: %s', async (_, fake) => {
  const domain = createDomain();
  await domain.acquire(exclusive);
  fake.install();
  const asked = domain.acquire(exclusive, { timeoutMs: 20 });
  await expect(asked).rejects.toMatchObject({ code: 'KDS_WAIT_TIMEOUT' });
});

it.each(Object.entries(fakeTimers))(
  'a fence is waited for by the fake time: %s',
  async (_, fake) => {
    fake.install();
    const outcome = outcomeOf(new Fence().wait({ timeoutMs: 5000 }));
    fake.pass(4999);
    await microtasks();
    expect(outcome.code).toBe('pending');
    fake.pass(1);
    await microtasks();
    expect(outcome.code).toBe('KDS_WAIT_TIMEOUT');
  },
);

it.each(Object.entries(everyFake))('a thread that blocks is woken in time: %s', (_, fake) => {
  const arena = createArena();
  openThreadsDomain(arena).acquireSync(exclusive);
  const other = openThreadsDomain(arena);
  fake.install();
  const code = 'KDS_WAIT_TIMEOUT';
  expect(() => other.acquireSync(exclusive, { timeoutMs: 20 })).toThrow(
    expect.objectContaining({ code }),
  );
  const wait = () => openFence(createFenceArena(1), 0).waitSync({ timeoutMs: 20 });
  expect(wait).toThrow(expect.objectContaining({ code }));
});

it.each(Object.entries(everyFake))('a lease is kept by real time: %s', async (_, fake) => {
  fake.install();
  const startMs = systemClock.nowMs();
  await new Promise<void>((resolve) => systemClock.after(20, resolve));
  expect(systemClock.nowMs() - startMs).toBeGreaterThanOrEqual(19);
});

it.each(Object.entries(fakeTimers))(
  'loaded under %s, all goes on after a restore',
  async (_, fake) => {
    vi.resetModules();
    fake.install();
    const fresh = await import('kds');
    const { systemClock: freshClock } = await import('../../src/runtime/clock.ts');
    const domain = fresh.createDomain();
    await domain.acquire(exclusive);
    const outcome = outcomeOf(domain.acquire(exclusive, { timeoutMs: 5000 }));
    fake.pass(5000);
    await microtasks();
    expect(outcome.code).toBe('KDS_WAIT_TIMEOUT');
    fake.restore();
    await expectClockToGoOn(domain);
    await new Promise<void>((resolve) => freshClock.after(5, resolve));
    const refused = domain.acquire(exclusive, { timeoutMs: 20 });
    await expect(refused).rejects.toMatchObject({ code: 'KDS_WAIT_TIMEOUT' });
    const told: string[] = [];
    domain.enqueue({ exclusive: 'c' }, () => told.push('queued'));
    await microtasks();
    expect(told).toEqual(['queued']);
  },
);

it('a snapshot of many sets is made though setImmediate is faked', async () => {
  const domain = createDomain();
  for (let count = 0; count < 20_000; count++) domain.enqueue(exclusive, () => {});
  vi.useFakeTimers({ toFake: ['setImmediate', 'setTimeout'] });
  const { pending } = await domain.query();
  expect(pending).toHaveLength(19_999);
});
