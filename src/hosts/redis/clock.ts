/** The time and the chance that the protocol of this host needs, as something that can be given. */

import { randomBytes } from 'node:crypto';
import { Deadline } from '../../event-loop/deadline.ts';

export interface Clock {
  /** Ms since some moment. It never goes back, whatever becomes of the system's clock. */
  nowMs(): number;
  /** Runs `fn` once `delayMs` have passed, or never, if what is returned is called before. */
  after(delayMs: number, fn: () => void): () => void;
}

/** The process's own clock. Its timers keep no process alive. */
export const monotonicClock: Clock = {
  nowMs: () => performance.now(),
  after: (delayMs, fn) => {
    const deadline = new Deadline(delayMs, fn);
    return () => deadline.cancel();
  },
};

/** A name that nobody else has: of a session, or of a client. */
export function randomId(): string {
  return randomBytes(16).toString('hex');
}
