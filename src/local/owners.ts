/** The owner of a set: the user data that core keeps with it, and the object that stands for it. */

import type { LocalGrant } from './grant.ts';
import type { LocalRequest } from './request.ts';
import type { ResolvedSet } from './resources.ts';

export type OwnObject = LocalRequest | LocalGrant;

/** Within an operation, but for {@link Owners.attach}. Only {@link Owners.userDataFor} throws. */
export interface Owners {
  /**
   * The user data of a set that is about to arrive, and memory for the set, with the capacities
   * that it asserts, and this much more: for each holding to be declared, or annex of a resource.
   * What could not be undone later is refused now.
   *
   * @throws LimitError
   */
  userDataFor(
    set: ResolvedSet,
    label: string | undefined,
    sessionLabel: string | undefined,
    moreCount: number,
  ): number;
  /** The set for which user data was made did not arrive. */
  freeUserData(userData: number): void;
  /** From now on the object stands for its set. */
  attach(object: OwnObject): void;
  /** No object stands for the set any more. Returns the one that did. */
  take(set: number): OwnObject | undefined;
  /** The same for a set that is about to end: frees its user data too. */
  end(set: number): OwnObject | undefined;
  /** The objects that stand for sets. */
  all(): readonly OwnObject[];
  /** The sets that were requested here, observers left out. */
  sets(): readonly number[];
  /** A set has been granted: if it belongs to another thread, reports that there. False if not. */
  forwardGranted(set: number): boolean;
  /** The same for a set whose grant has been taken back. */
  forwardLost(set: number): boolean;
}
