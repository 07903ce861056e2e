/**
 * The end of a grant as a fence.
 *
 * A grant reports its loss, by `signal`, and not its release: only its holder needs that, who
 * released it, and a hook in every backend would cost every grant something. So `release` and
 * `abandon` of the object are replaced by methods that do the same and then check whether the grant
 * has ended; its holder goes on using the object. Disposal calls `release`, so it is covered; it
 * could not be replaced, as `using` reads the method before a fence can be requested.
 * A release of a part may be the last one: then `grant.isHeld` is false.
 */

import { GrantLostError } from '../../api/errors.ts';
import type { Grant } from '../../api/grant.ts';
import type { ResourceRef } from '../../api/sets.ts';
import { describe } from '../../api/sets.ts';
import { Fence } from './fence.ts';

const known = new WeakMap<Grant, Fence>();

/**
 * Returns a fence that ends when a grant does, the same one each time: ok when all of it is
 * released, with the grant's `signal.reason` when it is lost, or with the reason of `abandon`.
 *
 * Call it while the grant is held. The fence of a grant that has ended has ended too: with the
 * reason if the grant was lost or abandoned, otherwise ok.
 *
 * @param grant - A grant of any backend.
 * @throws TypeError if it is no grant.
 * @waits Never. Await the fence.
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 * import { doneFence } from 'kds/fences';
 *
 * const grant = await createDomain().acquire({ exclusive: 'a' });
 * doneFence(grant).addCallback(({ status }) => console.log(status));
 * grant.release(); // ok
 * ```
 * @since 0.1.0
 */
export function doneFence(grant: Grant): Fence {
  if (typeof grant?.release !== 'function' || typeof grant.abandon !== 'function') {
    throw new TypeError(`this is no grant: ${describe(grant)}`);
  }
  const fence = known.get(grant) ?? createFence(grant);
  known.set(grant, fence);
  return fence;
}

function createFence(grant: Grant): Fence {
  const fence = new Fence();
  const { signal } = grant;
  const lost = (): void => void fence.fail(signal.reason);
  if (signal.aborted) lost();
  else signal.addEventListener('abort', lost);
  whenOver(grant, fence);
  if (fence.status === 'pending') wrapMethods(grant, fence);
  return fence;
}

function wrapMethods(grant: Grant, fence: Fence): void {
  const { release, abandon } = grant;
  const releaseAll = release as () => void | Promise<void>;
  const done = (): void => void fence.signal();
  const methods = {
    release: (part?: ResourceRef | readonly ResourceRef[]) =>
      part === undefined
        ? then(releaseAll.call(grant), done)
        : then(release.call(grant, part), () => whenOver(grant, fence)),
    abandon: (reason?: unknown) => {
      fence.setError(reason ?? new GrantLostError('the grant was abandoned'));
      return then(abandon.call(grant, reason), done);
    },
  };
  Object.assign(grant, methods);
}

/** Ends the fence if the grant has ended. */
function whenOver(grant: Grant, fence: Fence): void {
  if (!grant.isHeld) fence.signal();
}

function then(done: void | Promise<void>, next: () => void): void | Promise<void> {
  if (done === undefined) next();
  else return done.finally(next);
}
