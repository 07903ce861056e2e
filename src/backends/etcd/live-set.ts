/** A set that waits or is held, as the log has it. */

import type { UnitRange } from '../../api/units.ts';
import type { RemoteRef } from '../../remote/resources.ts';
import { ordinalsMax, type SetEntry } from './entries.ts';
import { encodeResource } from './keys.ts';

/** Of the numbers that one revision has for tokens, those up to here are for sets that waited. */
const waitedTokensMax = ordinalsMax - 129;

export class LiveSet {
  readonly key: string;
  readonly session: string;
  readonly number: number;
  readonly createRevision: number;
  modRevision: number;
  entry: SetEntry;
  /** In core. */
  set = 0;
  isGranted = false;
  /** It was held until a stealing request came, as far as this copy has seen it. */
  isRevoked = false;
  /** It was granted until the capacity of a resource fell, and its holder has not recorded that. */
  isDisplaced = false;
  /** It waited for more units than there were at some time: it is refused, and blocks no set. */
  isRefused = false;
  /** Once granted. See {@link tokenOfWaiter}. */
  token = 0;
  /** When it was granted, or, while it waits, requested: ms since 1970. */
  since: number;

  constructor(
    key: string,
    { session, number }: { readonly session: string; readonly number: number },
    createRevision: number,
    modRevision: number,
    entry: SetEntry,
  ) {
    this.key = key;
    this.session = session;
    this.number = number;
    this.createRevision = createRevision;
    this.modRevision = modRevision;
    this.entry = entry;
    this.since = entry.since;
  }

  /** The same for all clients, and grows with arrival. */
  get id(): number {
    return this.createRevision * ordinalsMax + this.entry.at;
  }

  /** Recorded numbers of its units of a resource. */
  numbersOf(ref: RemoteRef): readonly UnitRange[] {
    return this.entry.held?.find(([resource]) => resource === ref)?.[1] ?? [];
  }

  /** Its token, if it is granted as it arrives. */
  get tokenAtArrival(): number {
    const first = this.createRevision * ordinalsMax;
    return this.entry.steal === true ? first : first + waitedTokensMax + 1 + this.entry.at;
  }
}

/**
 * The token of one that waited and is granted by a revision, as the `index`th of those. What one
 * revision grants does not conflict, so where there are too many of them some may have the same.
 */
export function tokenOfWaiter(revision: number, index: number): number {
  return revision * ordinalsMax + Math.min(1 + index, waitedTokensMax);
}

/** Arrival order: by creation; but a stealing request comes before all that came before it. */
export function byArrival(one: LiveSet, other: LiveSet): number {
  const isStealing = one.entry.steal === true;
  if (isStealing !== (other.entry.steal === true)) return isStealing ? -1 : 1;
  return isStealing ? other.id - one.id : one.id - other.id;
}

/** Whether two sets have a resource in common. */
export function haveCommon(one: LiveSet, other: LiveSet): boolean {
  const refs = new Set(
    one.entry.parts.map(({ resource }) => encodeResource(resource, one.session)),
  );
  return other.entry.parts.some(({ resource }) =>
    refs.has(encodeResource(resource, other.session)),
  );
}
