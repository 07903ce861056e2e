/** Entries of a snapshot in words: who, what, since when. */

import type { BrokerSnapshotEntry } from '../hosts/broker/index.ts';
import { escaped, shown } from './messages.ts';

export { durationText, modeOf } from '../inspect/index.ts';

type NamedSet = BrokerSnapshotEntry['set'];

/** As it would be given to `kds run`: `-x db -s config`. */
export function setText({ exclusive, shared }: NamedSet): string {
  const parts = [
    ...exclusive.map((name) => `-x ${shown(name)}`),
    ...shared.map((name) => `-s ${shown(name)}`),
  ];
  return parts.length === 0 ? 'nothing' : parts.join(' ');
}

/** The label of the request, or else of its session or client; empty if it has none. */
export function labelOf({ label, session, client }: BrokerSnapshotEntry): string {
  return label ?? session ?? client?.label ?? '';
}

export function commandOf({ client }: BrokerSnapshotEntry): string {
  return escaped(client?.command ?? '');
}

export function pidOf({ client }: BrokerSnapshotEntry): string {
  return client?.pid === undefined ? '-' : String(client.pid);
}

/** `"nightly" (pid 4711: node import.js)` */
export function whoText(entry: BrokerSnapshotEntry): string {
  const label = labelOf(entry);
  const process = `pid ${pidOf(entry)}: ${commandOf(entry)}`;
  return label === '' ? process : `${shown(label)} (${process})`;
}
