/** Sorts the two lists of a snapshot, in slices. */

import type { SnapshotEntry } from '../api/snapshot.ts';
import { sortInSteps } from '../runtime/slices.ts';

/** Held sets in the order of their tokens, waiting ones in the order of their arrival. */
export function* inSnapshotOrder<E extends SnapshotEntry>(
  entries: readonly E[],
): Generator<void, { readonly held: readonly E[]; readonly pending: readonly E[] }> {
  const held = entries.filter(({ token }) => token !== undefined);
  yield;
  const pending = entries.filter(({ token }) => token === undefined);
  yield;
  return {
    held: yield* sortInSteps(held, ({ token }) => token as number),
    pending: yield* sortInSteps(pending, ({ id }) => id),
  };
}
