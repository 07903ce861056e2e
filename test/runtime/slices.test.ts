import { afterEach, expect, it, vi } from 'vitest';
import { realNowMs } from '../../src/runtime/real-time.ts';
import { inSlices } from '../../src/runtime/slices.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

/** Several slices of work, however fast the machine is. */
function* longWork(): Generator<void, string> {
  const endMs = realNowMs() + 20;
  while (realNowMs() < endMs) yield;
  return 'done';
}

it('long work is interrupted while a test has stopped the clock', async () => {
  vi.spyOn(performance, 'now').mockReturnValue(0);
  let isDone = false;
  const result = inSlices(longWork()).then((value) => {
    isDone = true;
    return value;
  });
  await Promise.resolve();
  await Promise.resolve();
  expect(isDone).toBe(false);
  expect(await result).toBe('done');
});
