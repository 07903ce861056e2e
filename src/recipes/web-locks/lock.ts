/** The argument of a callback: a lock that is held. https://w3c.github.io/web-locks/#api-lock */

import type { Grant } from '../../api/grant.ts';
import { describe } from '../../api/sets.ts';
import type { Unit } from '../../api/units.ts';
import { asInterface, type LockMode } from './web-idl.ts';

/** Known to this module only, so that no other code makes locks. */
const key = Symbol('makes locks');
let grantIn: (lock: Lock) => Grant | undefined;
let make: (name: string, mode: LockMode, grant: Grant | undefined) => Lock;

/**
 * A lock that is held, by the standard: a name and a mode. It is released when its callback is
 * done.
 *
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 * import { type Lock, LockManager } from 'kds/web-locks';
 *
 * const locks = new LockManager(createDomain());
 * const print = (lock: Lock | null) => console.log(lock?.name, lock?.mode);
 * await locks.request('a', print); // a exclusive
 * ```
 * @since 0.1.0
 */
export class Lock {
  readonly #name: string;
  readonly #mode: LockMode;
  readonly #grant: Grant | undefined;

  static {
    make = (name, mode, grant) => new Lock(key, name, mode, grant);
    grantIn = (lock) => lock.#grant;
    asInterface(Lock, 'Lock');
  }

  private constructor(
    caller: unknown = undefined,
    name = '',
    mode: LockMode = 'exclusive',
    grant: Grant | undefined = undefined,
  ) {
    if (caller !== key) throw new TypeError('Illegal constructor: locks are granted by request()');
    this.#name = name;
    this.#mode = mode;
    this.#grant = grant;
  }

  /** The name that was requested. */
  get name(): string {
    return this.#name;
  }

  /** The mode that was requested; 'shared' of a request with units. */
  get mode(): LockMode {
    return this.#mode;
  }

  /**
   * The units that the lock has of a resource with a capacity, an extension by kds: their names, or
   * numbers from 0 for a plain capacity. Empty without a capacity, and once the lock has ended.
   *
   * @throws {@link UnavailableError} on threads, if the arena's lock is not free in time.
   * @waits Never.
   * @example
   * ```ts
   * import { createDomain } from 'kds';
   * import { LockManager } from 'kds/web-locks';
   *
   * const locks = new LockManager(createDomain());
   * await locks.setCapacity('gpu', ['gpu0', 'gpu1']);
   * console.log(await locks.request('gpu', { units: 1 }, (lock) => lock?.units)); // [ 'gpu0' ]
   * ```
   * @since 0.2.0
   */
  get units(): readonly Unit[] {
    const units = this.#grant?.units ?? {};
    return Object.hasOwn(units, this.#name) ? (units[this.#name] as readonly Unit[]) : [];
  }
}

export function createLock(name: string, mode: LockMode, grant: Grant | undefined): Lock {
  return make(name, mode, grant);
}

/**
 * Returns the grant of a lock, for what the standard does not have: its fencing `token`, a `signal`
 * that aborts if it is lost, and its `recovered` names. The locks of one request share one grant.
 * Releasing it releases the lock, though the callback goes on.
 *
 * @param lock - A lock of this package.
 * @returns Undefined if the lock was lost before its callback was called.
 * @throws TypeError if it is no such lock.
 * @waits Never.
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 * import { grantOf, LockManager } from 'kds/web-locks';
 *
 * const locks = new LockManager(createDomain());
 * const token = await locks.request('a', (lock) => lock && grantOf(lock)?.token);
 * console.log(typeof token); // number
 * ```
 * @since 0.1.0
 */
export function grantOf(lock: Lock): Grant | undefined {
  if (lock instanceof Lock) return grantIn(lock);
  throw new TypeError(`grantOf takes a lock of kds/web-locks, not ${describe(lock)}`);
}
