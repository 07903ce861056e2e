import { expect, it } from 'vitest';
import { within } from '../../src/runtime/within.ts';
import { MovedClock } from './moved-clock.ts';

it('a promise that resolves in time gives its value, and leaves no timer', async () => {
  const clock = new MovedClock();
  expect(await within(clock, 10, Promise.resolve('value'))).toBe('value');
  expect(clock.timerCount).toBe(0);
});

it('a promise that rejects in time rejects, and leaves no timer', async () => {
  const clock = new MovedClock();
  const error = new Error('refused');
  await expect(within(clock, 10, Promise.reject(error))).rejects.toBe(error);
  expect(clock.timerCount).toBe(0);
});

it('a promise that is late gives undefined, and its rejection after that is ignored', async () => {
  const clock = new MovedClock();
  let reject: (reason: unknown) => void = () => undefined;
  const late = new Promise<string>((_, refuse) => {
    reject = refuse;
  });
  const result = within(clock, 10, late);
  clock.move(10);
  expect(await result).toBeUndefined();
  // An unhandled rejection would fail the run.
  reject(new Error('late'));
  await new Promise((resolve) => setImmediate(resolve));
});
