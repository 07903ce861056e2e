/** A request, waiting or granted, or an error in its place, as linux/err.h has it. */

import type { SyncGrant, Waiter } from '../../api/grant.ts';
import { describe } from '../../api/sets.ts';

/**
 * A request, waiting or granted. It has no members: release it through a pointer to it. As in the C
 * it may be an error in place of a set: check it with `IS_ERR`.
 *
 * @since 0.1.0
 */
export type kds_resource_set = ResourceSet;

/** Where a set is on its way, which only leads downwards. */
type Stage =
  | { readonly name: 'asked' }
  | { readonly name: 'waiting'; readonly waiter: Waiter }
  | { readonly name: 'granted'; readonly grant: SyncGrant }
  | { readonly name: 'ended' };

export class ResourceSet {
  #stage: Stage = { name: 'asked' };

  /** The request has been made. Its callback may have run, and may have released it, by now. */
  placed(waiter: Waiter): void {
    if (this.#stage.name === 'asked') this.#stage = { name: 'waiting', waiter };
    else if (this.#stage.name === 'ended') waiter.cancel();
  }

  /** Whether it is owned from now on; not if it has been released first. */
  granted(grant: SyncGrant): boolean {
    if (this.#stage.name === 'ended') {
      grant.release();
      return false;
    }
    this.#stage = { name: 'granted', grant };
    return true;
  }

  /** Exactly once by state, however many pointers lead here. */
  end(): void {
    const stage = this.#stage;
    this.#stage = { name: 'ended' };
    if (stage.name === 'waiting') stage.waiter.cancel();
    else if (stage.name === 'granted') stage.grant.release();
  }
}

/** What a pointer to a set has in it where the C has a negative errno. */
class ErrorPointer extends ResourceSet {
  readonly errno: number;

  constructor(errno: number) {
    super();
    this.errno = errno;
  }
}

/**
 * Makes a pointer that is an error, as linux/err.h has it.
 *
 * @param error - A negative errno, -4095 to -1.
 * @throws RangeError if it is not.
 * @waits Never.
 * @example
 * ```ts
 * import { ERESTARTSYS, ERR_PTR, IS_ERR } from 'kds/classic';
 *
 * console.log(IS_ERR(ERR_PTR(-ERESTARTSYS)), IS_ERR(null)); // true false
 * ```
 * @since 0.2.0
 */
export function ERR_PTR(error: number): kds_resource_set {
  if (!Number.isInteger(error) || error >= 0 || error < -errnoMax) {
    throw new RangeError(`an error is an errno from -${errnoMax} to -1, not ${describe(error)}`);
  }
  return new ErrorPointer(error);
}

/**
 * Checks whether a pointer is an error, and no set; false for null.
 *
 * @param pointer - A set, an error, or null.
 * @waits Never.
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 * import { classic, IS_ERR } from 'kds/classic';
 *
 * console.log(IS_ERR(classic(createDomain()).kds_waitall(0, [], [], 0))); // false
 * ```
 * @since 0.2.0
 */
export function IS_ERR(pointer: kds_resource_set | null): boolean {
  return pointer instanceof ErrorPointer;
}

/**
 * Returns the negative errno of a pointer that is an error.
 *
 * @param pointer - A pointer for which `IS_ERR` is true.
 * @throws TypeError if it is no error.
 * @waits Never.
 * @example
 * ```ts
 * import { ERESTARTSYS, ERR_PTR, PTR_ERR } from 'kds/classic';
 *
 * console.log(PTR_ERR(ERR_PTR(-ERESTARTSYS))); // -512
 * ```
 * @since 0.2.0
 */
export function PTR_ERR(pointer: kds_resource_set | null): number {
  if (pointer instanceof ErrorPointer) return pointer.errno;
  throw new TypeError('the pointer is no error: ask IS_ERR() first');
}

/** As MAX_ERRNO of linux/err.h. */
const errnoMax = 4095;
