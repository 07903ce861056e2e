/** A limit of waiting for a fence. Keeps the process alive until it is over. */

import { callersTime, Deadline } from '../../runtime/deadline.ts';

/** Undefined if the delay is Infinity: then there is no limit. */
export function startTimer(delayMs: number, onTime: () => void): Deadline | undefined {
  if (delayMs === Number.POSITIVE_INFINITY) return undefined;
  return new Deadline(delayMs, onTime, callersTime);
}
