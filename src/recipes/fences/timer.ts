/** A limit of waiting for a fence. Keeps the process alive until it is over. */

import { callerTimer, Timer } from '../../runtime/timer.ts';

/** Undefined if the delay is Infinity: then there is no limit. */
export function startTimer(delayMs: number, onTime: () => void): Timer | undefined {
  if (delayMs === Number.POSITIVE_INFINITY) return undefined;
  return new Timer(delayMs, onTime, callerTimer);
}
