/** Time limits of real time share one timer: none is early, lost or reported twice. */

import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { type TimeLimit, TimeLimits } from '../../src/runtime/time-limits.ts';

function block(forMs: number): void {
  const untilMs = performance.now() + forMs;
  while (performance.now() < untilMs);
}

it('reports each that was not cancelled once, in their order, not before its time', async () => {
  const running = new Set<TimeLimit<number>>();
  const reported: number[] = [];
  const atMsOf = (limit: TimeLimit<number>) => (limit as unknown as { atMs: number }).atMs;
  const limits = new TimeLimits<number>((due) => {
    const nowMs = performance.now();
    for (const limit of due) {
      expect(running.delete(limit)).toBe(true);
      expect(atMsOf(limit) - nowMs).toBeLessThan(1);
      reported.push(atMsOf(limit));
    }
    const nextMs = Math.min(...[...running].map(atMsOf));
    expect(nextMs).toBeGreaterThanOrEqual(Math.max(...due.map(atMsOf)));
  });
  let count = 500;
  for (let item = 0; item < 500; item++) {
    running.add(limits.add(((item * 7919) % 61) + 1, item));
    const other = [...running][(item * 104_729) % running.size];
    if (item % 3 === 0 && other !== undefined) {
      other.cancel();
      running.delete(other);
      count--;
    }
    if (item % 25 === 0) await sleep(1);
  }
  await vi.waitFor(() => expect(running.size).toBe(0), { timeout: 60_000 });
  await sleep(5);
  expect(reported).toHaveLength(count);
  expect(reported).toEqual(reported.toSorted((one, next) => one - next));
});

it('reports all that are over at once, those of each domain by themselves', async () => {
  const calls: string[] = [];
  const one = new TimeLimits<number>((due) => calls.push(`one ${due.length}`));
  const other = new TimeLimits<number>((due) => calls.push(`other ${due.length}`));
  for (let item = 0; item < 100; item++) (item % 4 === 0 ? other : one).add(5, item);
  block(20);
  await vi.waitFor(() => expect(calls).toHaveLength(2), { timeout: 60_000 });
  expect(calls.toSorted()).toEqual(['one 75', 'other 25']);
});

it('begins again after the last of them was cancelled, sooner or later than that one', async () => {
  const over: string[] = [];
  const limits = new TimeLimits<string>((due) => over.push(...due.map(({ item }) => item)));
  limits.add(1e9, 'far').cancel();
  limits.add(5, 'sooner');
  await vi.waitFor(() => expect(over).toEqual(['sooner']), { timeout: 60_000 });
  limits.add(5, 'near').cancel();
  limits.add(20, 'later');
  await vi.waitFor(() => expect(over).toEqual(['sooner', 'later']), { timeout: 60_000 });
});

it('leaves no timer set where the platform cannot unref it', async () => {
  // As in browsers and Deno, where a timer is a number.
  const set = Object.assign(vi.fn().mockReturnValue(7), { clock: {} });
  const clear = vi.fn();
  vi.stubGlobal('setTimeout', set);
  vi.stubGlobal('clearTimeout', clear);
  try {
    vi.resetModules();
    const { Alarm } = await import('../../src/runtime/alarm.ts');
    const alarm = new Alarm(() => undefined);
    alarm.set(performance.now() + 1000);
    alarm.rest();
    alarm.set(performance.now() + 2000);
  } finally {
    vi.unstubAllGlobals();
  }
  expect(set).toHaveBeenCalledTimes(2);
  expect(clear.mock.calls.filter(([timer]) => timer === 7)).toHaveLength(1);
});
