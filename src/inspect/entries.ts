/** The entries of a snapshot, of any backend, and their texts for people. */

import { type Mode, modeOf as modeOfUnits, unitsIn } from '../api/mode.ts';
import type { NamedSet } from '../api/sets.ts';
import type { Snapshot, SnapshotEntry } from '../api/snapshot.ts';
import { escaped, printable } from '../runtime/escape.ts';

/** The client that a set belongs to, on backends that report it: the broker does. */
export interface InspectedClient {
  readonly number?: number | undefined;
  readonly label?: string | undefined;
  readonly pid?: number | undefined;
  /** The machine that it runs on, where a domain has many. */
  readonly host?: string | undefined;
  readonly command?: string | undefined;
}

export interface InspectedEntry extends SnapshotEntry {
  readonly client?: InspectedClient | undefined;
}

/** The result of `query()`, on every backend. */
export interface InspectedSnapshot extends Snapshot {
  readonly held: readonly InspectedEntry[];
  readonly pending: readonly InspectedEntry[];
}

/** Longer names and labels are cut in texts for people. */
export const printedLengthMax = 80;

/** The mode of a resource in an entry; undefined if it is not in its set. */
export function modeOf({ set }: { readonly set: NamedSet }, name: string): Mode | undefined {
  const units = unitsIn(set, name);
  return units === 0 ? undefined : modeOfUnits(units);
}

/** The owner of an entry, as far as it is known: `nightly (pid 4711: node import.js)`. */
export function ownerText({ id, label, session, client }: InspectedEntry): string {
  const name = label ?? session ?? client?.label;
  const process = client?.pid === undefined ? '' : `pid ${pidText(client)}${commandText(client)}`;
  if (name === undefined) return process === '' ? `request ${id}` : process;
  const text = printable(name, printedLengthMax);
  return process === '' ? text : `${text} (${process})`;
}

/** A process: its number, after its machine if the domain has many; '-' if not known. */
export function pidText({ pid, host: machine }: InspectedClient): string {
  if (pid === undefined) return '-';
  return machine === undefined ? `${pid}` : `${escaped(machine.slice(0, printedLengthMax))}:${pid}`;
}

function commandText({ command }: InspectedClient): string {
  return command === undefined ? '' : `: ${escaped(command.slice(0, 2 * printedLengthMax))}`;
}

/** A set as options of `kds run`: `-x db -s config`. `countMax` names at most. */
export function setText({ exclusive, shared: others }: NamedSet, countMax = 8): string {
  const parts = [
    ...exclusive.slice(0, countMax).map((name) => `-x ${printable(name, printedLengthMax)}`),
    ...others
      .slice(0, Math.max(0, countMax - exclusive.length))
      .map((name) => `-s ${printable(name, printedLengthMax)}`),
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
