/**
 * Nested runs. What a grant covers can be requested once more within it: such requests queue in an
 * inner domain of the grant, so they exclude each other, and nothing outside of the grant waits for
 * them. The grant holds its set for all of them, so its end is theirs.
 */

import type { SyncSession } from '../api/domain.ts';
import type { SyncGrant } from '../api/grant.ts';
import type { AcquireOptions } from '../api/options.ts';
import { outerGrantEnded, setNotCovered } from '../api/refusals.ts';
import type { AcceptHandle, PreparedSet, ResourceRef, SetSpec } from '../api/sets.ts';
import { printableName, ResourceHandle } from './handle.ts';

/** A set as it was read: nothing of the caller's is left in it. */
export interface SetLists {
  readonly exclusive: readonly ResourceRef[];
  readonly shared: readonly ResourceRef[];
}

export type RunFunction<R> = (grant: SyncGrant) => R | Promise<R>;

export interface InnerDomain {
  readonly domain: Pick<SyncSession, 'run'>;
  /** Ends what its grant does not cover any more, for this reason; without one, everything. */
  end(reason: unknown, covers?: (set: SetSpec) => boolean): void;
}

/** A grant as its inner domain knows it, and as nested runs use it. */
export interface OuterGrant {
  readonly token: number;
  /** Made on first use. */
  readonly inner: InnerDomain;
  /** Of its domain: handles that a nested set may name. */
  readonly accept: AcceptHandle;
  covers(set: SetSpec): boolean;
  /** Reads a set once and completely. @throws InvalidSetError, LimitError */
  listsOf(set: SetSpec | PreparedSet): SetLists;
  /** @throws GrantLostError if it has ended. */
  checkHeld(): void;
}

/** The call `grant.run`, on every backend. */
export async function runWithin<R>(
  outer: OuterGrant,
  set: SetSpec | PreparedSet,
  optionsOrFn: AcquireOptions | RunFunction<R>,
  maybeFn?: RunFunction<R>,
): Promise<R> {
  const lists = outer.listsOf(set);
  outer.checkHeld();
  if (!outer.covers(lists)) throw notCovered(outer, lists);
  const { domain } = outer.inner;
  return typeof optionsOrFn === 'function'
    ? domain.run(lists, optionsOrFn)
    : domain.run(lists, optionsOrFn, maybeFn as RunFunction<R>);
}

/** A grant has ended, and so does what is nested in it. */
export function endInner(
  { token }: { readonly token: number },
  inner: InnerDomain | undefined,
): void {
  inner?.end(outerGrantEnded(token));
}

/** A grant holds less than before: nested sets that need more end. */
export function weakenInner(outer: OuterGrant, inner: InnerDomain | undefined): void {
  inner?.end(outerGrantEnded(outer.token), (set) => outer.covers(set));
}

function notCovered(outer: OuterGrant, { exclusive, shared }: SetLists): Error {
  return setNotCovered(outer.token, {
    exclusive: exclusive.filter((ref) => !outer.covers({ exclusive: ref })).map(nameOf),
    shared: shared.filter((ref) => !outer.covers({ shared: ref })).map(nameOf),
  });
}

function nameOf(ref: ResourceRef): string {
  return ref instanceof ResourceHandle ? printableName(ref) : String(ref);
}
