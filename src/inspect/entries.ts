/** What is inspected: the entries of a snapshot, of any host, and how they are told in words. */

import type { NamedSet } from '../api/sets.ts';
import type { Snapshot, SnapshotEntry } from '../api/snapshot.ts';
import { escaped, shown } from '../runtime/escape.ts';

/** Whose a set is, where a host tells: the broker does. */
export interface InspectedClient {
  readonly number?: number | undefined;
  readonly label?: string | undefined;
  readonly pid?: number | undefined;
  /** Of many machines, which one it runs on. */
  readonly host?: string | undefined;
  readonly command?: string | undefined;
}

export interface InspectedEntry extends SnapshotEntry {
  readonly client?: InspectedClient | undefined;
}

/** What `query()` returns, on every host. */
export interface InspectedSnapshot extends Snapshot {
  readonly held: readonly InspectedEntry[];
  readonly pending: readonly InspectedEntry[];
}

export type Mode = 'exclusive' | 'shared';

/** Longer names and labels are cut where people read them. */
export const shownLengthMax = 80;

/** How an entry takes part in a resource; undefined if it does not. */
export function modeOf({ set }: { readonly set: NamedSet }, name: string): Mode | undefined {
  if (set.exclusive.includes(name)) return 'exclusive';
  return set.shared.includes(name) ? 'shared' : undefined;
}

export function namesOf({ exclusive, shared: others }: NamedSet): readonly string[] {
  return others.length === 0 ? exclusive : [...exclusive, ...others];
}

/** Who it is, of all that is known: `nightly (pid 4711: node import.js)`. */
export function whoText({ id, label, session, client }: InspectedEntry): string {
  const name = label ?? session ?? client?.label;
  const process = client?.pid === undefined ? '' : `pid ${pidText(client)}${commandText(client)}`;
  if (name === undefined) return process === '' ? `request ${id}` : process;
  const told = shown(name, shownLengthMax);
  return process === '' ? told : `${told} (${process})`;
}

/** A process: its number, after the machine that it runs on if there are many; '-' if not known. */
export function pidText({ pid, host }: InspectedClient): string {
  if (pid === undefined) return '-';
  return host === undefined ? `${pid}` : `${escaped(host.slice(0, shownLengthMax))}:${pid}`;
}

function commandText({ command }: InspectedClient): string {
  return command === undefined ? '' : `: ${escaped(command.slice(0, 2 * shownLengthMax))}`;
}

/** As it would be given to `kds run`: `-x db -s config`. So many names at most are told. */
export function setText({ exclusive, shared: others }: NamedSet, countMax = 8): string {
  const parts = [
    ...exclusive.slice(0, countMax).map((name) => `-x ${shown(name, shownLengthMax)}`),
    ...others
      .slice(0, Math.max(0, countMax - exclusive.length))
      .map((name) => `-s ${shown(name, shownLengthMax)}`),
  ];
  const moreCount = exclusive.length + others.length - parts.length;
  if (moreCount > 0) parts.push(`and ${moreCount} more`);
  return parts.length === 0 ? 'nothing' : parts.join(' ');
}

/** Two figures at most: `0.4 s`, `12 s`, `3 m 20 s`, `5 h 1 m`, `2 d 3 h`. */
export function durationText(ms: number): string {
  const s = Math.max(0, ms) / 1000;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 60) return `${Math.floor(s)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} m ${Math.floor(s % 60)} s`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} m`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}
