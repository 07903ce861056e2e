/**
 * Nested runs. What a grant covers can be requested once more within it: such requests queue in an
 * inner domain of the grant, so they exclude each other, and nothing outside of the grant waits for
 * them. The grant holds its set for all of them, so its end is theirs.
 */

import type { SyncSession } from '../api/domain.ts';
import type { SyncGrant } from '../api/grant.ts';
import type { AcquireOptions } from '../api/options.ts';
import type { ReadSet } from '../api/read-set.ts';
import { outerGrantEnded, setNotCovered } from '../api/refusals.ts';
import type { AcceptHandle, PreparedSet, ResourceRef, SetSpec } from '../api/sets.ts';
import { takenOf, type Unit, type UnitRange } from '../api/units.ts';
import { printableName, ResourceHandle } from './handle.ts';

export type RunFunction<R> = (grant: SyncGrant) => R | Promise<R>;

export interface InnerDomain {
  readonly domain: Pick<SyncSession, 'run'>;
  /** Its resources have the units that the grant has of them. */
  meter(set: ReadSet): void;
  /** Ends everything, for this reason. */
  end(reason: unknown): void;
  /** The grant holds less or more than before: ends what it does not cover any more. */
  follow(reason: unknown): void;
}

/** Units of a grant: their names, or ranges of their numbers, ascending. */
export type OuterUnits = readonly Unit[] | readonly UnitRange[];

/** A grant as its inner domain knows it, and as nested runs use it. */
export interface OuterGrant {
  readonly token: number;
  /** Made on first use. */
  readonly inner: InnerDomain;
  /** Of its domain: handles that a nested set may name. */
  readonly accept: AcceptHandle;
  covers(set: SetSpec): boolean;
  /** Reads a set once and completely. @throws InvalidSetError, LimitError */
  listsOf(set: SetSpec | PreparedSet): ReadSet;
  /** The units that it has of a resource; undefined for one without a capacity. */
  unitsOf(ref: ResourceRef): OuterUnits | undefined;
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
  outer.inner.meter(lists);
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

/** A grant holds less than before, or more: nested sets that it does not cover end. */
export function followOuter(outer: OuterGrant, inner: InnerDomain | undefined): void {
  inner?.follow(outerGrantEnded(outer.token));
}

function notCovered(outer: OuterGrant, { exclusive, shared, units }: ReadSet): Error {
  const missing = {
    exclusive: exclusive.filter((ref) => !outer.covers({ exclusive: ref })).map(nameOf),
    shared: shared.filter((ref) => !outer.covers({ shared: ref })).map(nameOf),
  };
  if (units === undefined) return setNotCovered(outer.token, missing);
  const lacking = [...units].filter(([ref, count]) => {
    return !outer.covers({ units: new Map([[ref, count]]) });
  });
  const counts = lacking.map(([ref, count]): [string, number] => {
    return [nameOf(ref), takenOf(count)];
  });
  return setNotCovered(outer.token, { ...missing, units: Object.fromEntries(counts) });
}

function nameOf(ref: ResourceRef): string {
  return ref instanceof ResourceHandle ? printableName(ref) : String(ref);
}
