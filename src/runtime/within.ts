/** A time limit for a promise. */

import type { Clock } from './clock.ts';

/**
 * Resolves as the promise does, or with undefined when `limitMs` ms pass first. The limit does not
 * stop the work behind the promise; a rejection after the limit is ignored.
 *
 * Rejects as the promise does. The limit keeps no process alive.
 */
export async function within<T>(
  clock: Clock,
  limitMs: number,
  promise: Promise<T>,
): Promise<T | undefined> {
  let cancel = (): void => undefined;
  const isLate = new Promise<undefined>((resolve) => {
    cancel = clock.after(limitMs, () => resolve(undefined));
  });
  try {
    return await Promise.race([promise, isLate]);
  } finally {
    cancel();
  }
}
