/** In how many slices long work is done, whatever the speed of the machine. */

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
/** Undefined while no slices are counted. */
let aheadMs: number | undefined;

/**
 * For `vi.mock` of src/runtime/real-time.ts: its functions, with the turns of the event loop
 * counted. While slices are counted, the clock advances by 1 ms each time that it is read.
 */
export async function countingTurns(original: () => Promise<RealTime>): Promise<RealTime> {
  const real = await original();
  const setRealImmediate = (run: () => void): void => {
    turnCount++;
    real.setRealImmediate(run);
  };
  const realNowMs = (): number => real.realNowMs() + (aheadMs === undefined ? 0 : ++aheadMs);
  return { ...real, setRealImmediate, realNowMs };
}

/**
 * The number of slices in which work is done: how often it yields to the event loop. By the clock
 * of `countingTurns` slices of 5 ms end after five readings at the latest, however fast or slow the
 * machine is.
 */
export async function slicesOf(work: () => Promise<unknown>): Promise<number> {
  aheadMs = 0;
  const countBefore = turnCount;
  try {
    await work();
    return turnCount - countBefore;
  } finally {
    aheadMs = undefined;
  }
}
