/** Errors have a code that stays across copies of the package. */

import {
  createDomain,
  DeadlockError,
  GrantLostError,
  isKdsError,
  type KdsErrorCode,
  WaitTimeoutError,
} from 'kds';
import { describe, expect, expectTypeOf, it } from 'vitest';

describe('isKdsError', () => {
  it('is true for what a domain rejects with, and for its code alone', async () => {
    const domain = createDomain();
    const held = domain.acquireSync({ exclusive: 'a' });
    const error = await domain.acquire({ shared: 'a' }, { timeoutMs: 0 }).catch((reason) => reason);
    expect(error).toBeInstanceOf(WaitTimeoutError);
    expect(isKdsError(error)).toBe(true);
    expect(isKdsError(error, 'KDS_WAIT_TIMEOUT')).toBe(true);
    expect(isKdsError(error, 'KDS_DEADLOCK')).toBe(false);
    held.release();
  });

  it('is true for an error of another copy of the package', () => {
    const foreign = Object.assign(new Error('lost'), { code: 'KDS_GRANT_LOST' });
    expect(foreign).not.toBeInstanceOf(GrantLostError);
    expect(isKdsError(foreign)).toBe(true);
    expect(isKdsError(foreign, 'KDS_GRANT_LOST')).toBe(true);
  });

  it.each([
    undefined,
    null,
    'KDS_LIMIT',
    new Error('KDS_LIMIT'),
    Object.assign(new Error('no file'), { code: 'ENOENT' }),
    new DOMException('aborted', 'AbortError'),
  ])('is false for %s', (value) => {
    expect(isKdsError(value)).toBe(false);
    expect(isKdsError(value, 'KDS_LIMIT')).toBe(false);
  });

  it('has the class of its code as type', () => {
    const error: unknown = new DeadlockError('a cycle', []);
    if (!isKdsError(error)) throw error;
    expectTypeOf(error.code).toEqualTypeOf<KdsErrorCode>();
    if (!isKdsError(error, 'KDS_DEADLOCK')) throw error;
    expectTypeOf(error).toEqualTypeOf<DeadlockError>();
    expect(error.cycle).toEqual([]);
  });
});
