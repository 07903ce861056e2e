/** Time limits of many requests, beside a plain list: all that are over are reported, once each. */

import fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type TimeLimit, TimeLimits } from '../../src/runtime/time-limits.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it('reports those that are over, the earliest first, and none that was cancelled', () => {
  const steps = fc.array(fc.tuple(fc.nat(40), fc.nat(9), fc.boolean()), { maxLength: 200 });
  fc.assert(
    fc.property(steps, (all) => {
      const due: number[] = [];
      const limits = new TimeLimits<number>((over) => due.push(...over.map(({ item }) => item)));
      const running = new Map<
        number,
        { readonly limit: TimeLimit<number>; readonly atMs: number }
      >();
      for (const [timeoutMs, passMs, isCancel] of all) {
        const atMs = Date.now() + timeoutMs;
        const id = running.size;
        running.set(id, { limit: limits.add(timeoutMs, id), atMs });
        const other = running.get(timeoutMs);
        if (isCancel && other !== undefined) {
          other.limit.cancel();
          running.set(timeoutMs, { ...other, atMs: Number.POSITIVE_INFINITY });
        }
        due.length = 0;
        vi.advanceTimersByTime(passMs);
        const expected = [...running].filter(([, each]) => each.atMs <= Date.now());
        expect(due.toSorted()).toEqual(expected.map(([each]) => each).toSorted());
        for (const [each, { limit }] of expected) {
          running.set(each, { limit, atMs: Number.POSITIVE_INFINITY });
        }
      }
      vi.clearAllTimers();
    }),
  );
});

it('reports all that are over at once', () => {
  const calls: number[] = [];
  const limits = new TimeLimits<number>((over) => calls.push(over.length));
  for (let item = 0; item < 100; item++) limits.add(50, item);
  const late = limits.add(51, 100);
  vi.advanceTimersByTime(50);
  expect(calls).toEqual([100]);
  late.cancel();
  vi.advanceTimersByTime(50);
  expect(calls).toEqual([100]);
  expect(vi.getTimerCount()).toBe(0);
});
