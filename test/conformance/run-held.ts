/** `run` by way of `acquire`, for domains of tests that have nothing of their own to add to it. */

import type { Domain } from '../../src/api/domain.ts';
import { type Grant, isLost } from '../../src/api/grant.ts';
import { type AcquireOptions, checkRunFunction } from '../../src/api/options.ts';
import type { PreparedSet, SetSpec } from '../../src/api/sets.ts';

type Body<R> = (grant: Grant) => R | Promise<R>;

export async function runHeld<R>(
  domain: Pick<Domain, 'acquire'>,
  set: SetSpec | PreparedSet,
  optionsOrFn: AcquireOptions | Body<R>,
  maybeFn?: Body<R>,
): Promise<R> {
  const isShort = typeof optionsOrFn === 'function';
  const fn = isShort ? optionsOrFn : maybeFn;
  checkRunFunction(fn);
  const grant = await domain.acquire(set, isShort ? {} : optionsOrFn);
  try {
    const result = await fn(grant);
    if (isLost(grant)) throw grant.signal.reason;
    return result;
  } finally {
    await grant.release();
  }
}
