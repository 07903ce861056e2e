/**
 * The end of a grant as a fence.
 *
 * A grant tells of its loss, by `signal`, and not of its release: nobody needs to be told of that
 * but its holder, who did it, and a hook in every host would be paid for by every grant. So the
 * object itself is given methods that do the same and then look; whoever holds it goes on using it.
 * To dispose of a grant is to call its `release`, so that need not be caught; nor could it be, as
 * `using` has looked for how to dispose before anybody can ask for a fence.
 * A release of a part may be the last one: then `grant.isHeld` is false.
 */

import { GrantLostError } from '../../api/errors.ts';
import type { Grant } from '../../api/grant.ts';
import type { ResourceRef } from '../../api/sets.ts';
import { describe } from '../../api/sets.ts';
import { Fence } from './fence.ts';

const known = new WeakMap<Grant, Fence>();

/**
 * A fence that ends when a grant does, the same one each time: ok when all of it is released, with
 * the grant's `signal.reason` when it is taken away, or with what it was abandoned for.
 *
 * Ask for it while the grant is held. Of one that has ended, it has ended too, ok unless its loss
 * is known.
 *
 * @throws TypeError for what is no grant.
 * @example
 * import { createDomain } from 'kds';
 * import { doneFence } from 'kds/fences';
 *
 * const grant = await createDomain().acquire({ exclusive: 'a' });
 * doneFence(grant).addCallback(({ status }) => console.log(status));
 * grant.release(); // ok
 */
export function doneFence(grant: Grant): Fence {
  if (typeof grant?.release !== 'function' || typeof grant.abandon !== 'function') {
    throw new TypeError(`this is no grant: ${describe(grant)}`);
  }
  const fence = known.get(grant) ?? watch(grant);
  known.set(grant, fence);
  return fence;
}

function watch(grant: Grant): Fence {
  const fence = new Fence();
  const { signal } = grant;
  const lost = (): void => void fence.fail(signal.reason);
  if (signal.aborted) lost();
  else signal.addEventListener('abort', lost);
  whenOver(grant, fence);
  if (fence.status === 'pending') equip(grant, fence);
  return fence;
}

function equip(grant: Grant, fence: Fence): void {
  const { release, abandon } = grant;
  const letGo = release as () => void | Promise<void>;
  const done = (): void => void fence.signal();
  const methods = {
    release: (part?: ResourceRef | readonly ResourceRef[]) =>
      part === undefined
        ? then(letGo.call(grant), done)
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
