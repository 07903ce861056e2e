/** In how many slices long work is done, whatever the speed of the machine. */

import { vi } from 'vitest';

/** By the clock of `slicesOf` a slice ends after so many steps of the work. */
const stepsPerSliceMax = 5;
/** As src/runtime/slices.ts has it. */
const itemsPerStep = 200;

/**
 * The slices in which a thing is done with so many items at least: of a thousand items, which take
 * a few ms on any machine of today.
 */
export function sliceCountMin(itemCount: number): number {
  return Math.floor(itemCount / (stepsPerSliceMax * itemsPerStep));
}

type RealTime = typeof import('../../src/runtime/real-time.ts');

let turnCount = 0;

/** For `vi.mock` of src/runtime/real-time.ts: its functions, with those turns counted. */
export async function countingTurns(original: () => Promise<RealTime>): Promise<RealTime> {
  const real = await original();
  const setRealImmediate = (run: () => void): void => {
    turnCount++;
    real.setRealImmediate(run);
  };
  return { ...real, setRealImmediate };
}

/**
 * In how many slices work is done: how often it lets others have their turn. The clock goes on by a
 * ms each time that it is read, so slices of 5 ms end after five looks at it at the latest, and not
 * where the machine is slow, or fast.
 */
export async function slicesOf(work: () => Promise<unknown>): Promise<number> {
  const realNow = performance.now.bind(performance);
  let aheadMs = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => realNow() + ++aheadMs);
  const countBefore = turnCount;
  try {
    await work();
    return turnCount - countBefore;
  } finally {
    clock.mockRestore();
  }
}
