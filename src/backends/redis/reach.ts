/** Doing a call again while the server is out of reach, or refuses for now. */

import { UnavailableError } from '../../api/errors.ts';
import type { Clock } from '../../runtime/clock.ts';

/** Time limit of an outage, ms: what waits ends by UnavailableError then. */
export const outageMsMax = 10_000;
/** Between attempts, ms. */
const pauseMs = 20;

/** @throws what `attempt` fails with, UnavailableError only after the limit, or once `isOver`. */
export async function whenReached<T>(
  clock: Clock,
  attempt: () => Promise<T>,
  isOver: () => boolean,
): Promise<T> {
  const untilMs = clock.nowMs() + outageMsMax;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      const isLate = isOver() || clock.nowMs() > untilMs;
      if (!(error instanceof UnavailableError) || isLate) throw error;
    }
    await new Promise<void>((resolve) => clock.after(pauseMs, resolve));
  }
}
