import { expect, it } from 'vitest';
import { systemClock } from '../../src/runtime/clock.ts';

/** The platform's timers overflow beyond this, and are over after 1 ms. */
const platformMsMax = 2 ** 31 - 1;

it('a time of more than 24.8 days is not over before one of 20 ms', async () => {
  let isOver = false;
  const cancel = systemClock.after(platformMsMax + 1000, () => {
    isOver = true;
  });
  await new Promise<void>((resolve) => systemClock.after(20, resolve));
  expect(isOver).toBe(false);
  cancel();
});

it('what is prevented does not happen', async () => {
  const happened: string[] = [];
  const cancel = systemClock.after(1, () => happened.push('prevented'));
  cancel();
  await new Promise<void>((resolve) => systemClock.after(20, resolve));
  expect(happened).toEqual([]);
});
