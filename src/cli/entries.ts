/** Columns of listings, beside the texts of kds/inspect. */

import { type InspectedEntry, type InspectedSnapshot, pidText } from '../inspect/index.ts';
import { escaped } from './messages.ts';

export { durationText, modeOf, ownerText, setText } from '../inspect/index.ts';

/** An entry with its client, as far as that is known. */
export type Entry = InspectedEntry;

export type Listing = Pick<InspectedSnapshot, 'held' | 'pending' | 'capacities'>;

/** The label of the request, or else of its session or client; empty if it has none. */
export function labelOf({ label, session, client }: Entry): string {
  return label ?? session ?? client?.label ?? '';
}

export function commandOf({ client }: Entry): string {
  return escaped(client?.command ?? '');
}

export function pidOf({ client }: Entry): string {
  return pidText(client ?? {});
}
