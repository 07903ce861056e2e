/** For how long an event loop is stopped at a time. */

/** By a snapshot of many, nobody may be stopped for so long, in ms. */
export const stopMsMax = 50;

/** The longest time, in ms, that passes between two turns of this event loop while it works. */
export async function longestStopIn(work: () => Promise<unknown>): Promise<number> {
  let longestMs = 0;
  let lastMs = performance.now();
  let isAtWork = true;
  const turn = (): void => {
    const nowMs = performance.now();
    longestMs = Math.max(longestMs, nowMs - lastMs);
    lastMs = nowMs;
    if (isAtWork) setImmediate(turn);
  };
  setImmediate(turn);
  await work();
  isAtWork = false;
  await new Promise(setImmediate);
  return longestMs;
}
