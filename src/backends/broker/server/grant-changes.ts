/** The changes of a grant that a client sends; they have no answer. */

import { CapacityError, InvalidSetError, ProtocolError } from '../../../api/errors.ts';
import type { SyncGrant, UnitsLeft } from '../../../api/grant.ts';
import type { ClientMessage } from '../wire/messages.ts';
import type { PrivateResources } from './private-resources.ts';

export type GrantChange = Extract<
  ClientMessage,
  { readonly do: 'release' | 'downgrade' | 'abandon' }
>;

/** Whether the grant ends by it, whatever it has. */
export function endsGrant(change: GrantChange): boolean {
  return change.do === 'abandon' || (change.do === 'release' && change.part === undefined);
}

/** @throws ProtocolError if the grant does not hold all of the part. LimitError */
export function changeGrant(
  grant: SyncGrant,
  change: GrantChange,
  privates: PrivateResources,
): void {
  if (change.do === 'abandon') {
    grant.abandon();
    return;
  }
  const part = change.part?.map((ref) => privates.refOf(ref));
  try {
    if (change.do === 'release') grant.release(part);
    else grant.downgrade(unitsLeft(change, privates) ?? part);
  } catch (error) {
    // The capacity has been reduced since: the grant keeps more than its client relies on.
    if (error instanceof CapacityError) return;
    if (!(error instanceof InvalidSetError)) throw error;
    throw new ProtocolError(`grant ${change.id} does not hold all of that part`);
  }
}

function unitsLeft(
  { units }: Extract<GrantChange, { readonly do: 'downgrade' }>,
  privates: PrivateResources,
): UnitsLeft | undefined {
  return units && { units: new Map(units.map(([ref, count]) => [privates.refOf(ref), count])) };
}
