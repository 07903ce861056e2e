/** Entries of a snapshot in words: who, what, since when. */

import type { SnapshotEntry } from '../domain/snapshot.ts';
import { escaped, shown } from './messages.ts';

export { durationText, modeOf } from '../inspect/index.ts';

/** An entry that also tells whose it is, as far as that client has told. */
export interface Entry extends SnapshotEntry {
  readonly client?: Client | undefined;
}

interface Client {
  readonly label: string | undefined;
  readonly pid: number | undefined;
  /** Of many machines, which one it runs on. */
  readonly host?: string | undefined;
  readonly command: string | undefined;
}

export interface Listing {
  readonly held: readonly Entry[];
  readonly pending: readonly Entry[];
}

type NamedSet = Entry['set'];

/** As it would be given to `kds run`: `-x db -s config`. */
export function setText({ exclusive, shared }: NamedSet): string {
  const parts = [
    ...exclusive.map((name) => `-x ${shown(name)}`),
    ...shared.map((name) => `-s ${shown(name)}`),
  ];
  return parts.length === 0 ? 'nothing' : parts.join(' ');
}

/** The label of the request, or else of its session or client; empty if it has none. */
export function labelOf({ label, session, client }: Entry): string {
  return label ?? session ?? client?.label ?? '';
}

export function commandOf({ client }: Entry): string {
  return escaped(client?.command ?? '');
}

export function pidOf({ client }: Entry): string {
  if (client?.pid === undefined) return '-';
  return client.host === undefined ? `${client.pid}` : `${escaped(client.host)}:${client.pid}`;
}

/** `"nightly" (pid 4711: node import.js)`. */
export function whoText(entry: Entry): string {
  const label = labelOf(entry);
  const process = `pid ${pidOf(entry)}: ${commandOf(entry)}`;
  return label === '' ? process : `${shown(label)} (${process})`;
}
