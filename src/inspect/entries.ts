/** The entries of a snapshot, of any backend, and their texts for people. */

import { type Mode, modeIn, unitsIn } from '../api/mode.ts';
import type { NamedSet } from '../api/sets.ts';
import type { Snapshot, SnapshotEntry } from '../api/snapshot.ts';
import type { Unit } from '../api/units.ts';
import { escaped, printable } from '../runtime/escape.ts';

/**
 * The client that a set belongs to, on backends that report it: the broker does.
 *
 * @since 0.1.0
 */
export interface InspectedClient {
  /** Its number at the broker. */
  readonly number?: number | undefined;
  /** Label of its domain. */
  readonly label?: string | undefined;
  /** Its process. */
  readonly pid?: number | undefined;
  /** The machine that it runs on, where a domain has many. */
  readonly host?: string | undefined;
  /** Its command line. */
  readonly command?: string | undefined;
}

/**
 * An entry of a snapshot, of any backend.
 *
 * @since 0.1.0
 */
export interface InspectedEntry extends SnapshotEntry {
  /** The client that the set belongs to, if the backend reports it. */
  readonly client?: InspectedClient | undefined;
}

/**
 * The result of `query()`, of any backend.
 *
 * @since 0.1.0
 */
export interface InspectedSnapshot extends Snapshot {
  /** Held sets, by token. */
  readonly held: readonly InspectedEntry[];
  /** Waiting sets, in arrival order. */
  readonly pending: readonly InspectedEntry[];
}

/** Longer names and labels are cut in texts for people. */
export const printedLengthMax = 80;

/**
 * Returns the mode of a resource in an entry; undefined if it is not in its set.
 *
 * @param entry - An entry of a snapshot.
 * @param name - Name of the resource.
 * @waits Never.
 * @example
 * ```ts
 * import { modeOf } from 'kds/inspect';
 *
 * const set = { exclusive: ['db'], shared: ['config'] };
 * console.log(modeOf({ set }, 'config')); // shared
 * ```
 * @since 0.1.0
 */
export function modeOf({ set }: { readonly set: NamedSet }, name: string): Mode | undefined {
  return modeIn(set, name);
}

/** Units of a grant that are listed by name in a text for people. */
const unitsListedMax = 8;

/** Describes how an entry has a resource: `exclusive`, `shared`, or `2 units (gpu0, gpu1)`. */
export function modeText(entry: SnapshotEntry, name: string): string {
  const mode = modeOf(entry, name);
  if (mode !== 'units') return String(mode);
  const count = unitCountText(unitsIn(entry.set, name));
  const own = unitsOf(entry, name);
  if (own.length === 0) return count;
  const listed = own
    .slice(0, unitsListedMax)
    .map((unit) => printable(String(unit), printedLengthMax));
  if (own.length > listed.length) listed.push(`and ${own.length - listed.length} more`);
  return `${count} (${listed.join(', ')})`;
}

/** The units that an entry holds, as far as the snapshot lists them. */
export function unitsOf({ units = {} }: SnapshotEntry, name: string): readonly Unit[] {
  return Object.hasOwn(units, name) ? (units[name] ?? []) : [];
}

export function unitCountText(count: number): string {
  return count === 1 ? '1 unit' : `${count} units`;
}

/**
 * Describes the owner of an entry, as far as it is known: `nightly (pid 4711: node import.js)`.
 *
 * @param entry - An entry of a snapshot.
 * @waits Never.
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 * import { ownerText } from 'kds/inspect';
 *
 * const domain = createDomain();
 * await domain.acquire({ exclusive: 'db' }, { label: 'nightly' });
 * console.log((await domain.query()).held.map(ownerText)); // [ 'nightly' ]
 * ```
 * @since 0.2.0
 */
export function ownerText(entry: InspectedEntry): string {
  return ownerTextUpTo(printedLengthMax, entry);
}

/** The same, with each part of it cut at this length. */
export function ownerTextUpTo(lengthMax: number, entry: InspectedEntry): string {
  const { id, label, session, client } = entry;
  const name = label ?? session ?? client?.label;
  const process = client?.pid === undefined ? '' : `pid ${pidText(client)}${commandText(client)}`;
  if (name === undefined) return process === '' ? `request ${id}` : process;
  const text = printable(name, lengthMax);
  return process === '' ? text : `${text} (${process})`;
}

/**
 * Describes a process: its number, after its machine if the domain has many; '-' if not known.
 *
 * @param client - The client of an entry.
 * @waits Never.
 * @example
 * ```ts
 * import { pidText } from 'kds/inspect';
 *
 * console.log(pidText({ pid: 4711, host: 'a' }), pidText({})); // a:4711 -
 * ```
 * @since 0.2.0
 */
export function pidText({ pid, host: machine }: InspectedClient): string {
  if (pid === undefined) return '-';
  return machine === undefined ? `${pid}` : `${escaped(machine.slice(0, printedLengthMax))}:${pid}`;
}

function commandText({ command }: InspectedClient): string {
  return command === undefined ? '' : `: ${escaped(command.slice(0, 2 * printedLengthMax))}`;
}

/**
 * Describes a set as options of `kds run`: `-x db -u gpu=2 -s config`.
 *
 * @param set - The set of an entry.
 * @param countMax - Names that are listed, at most. Default 8.
 * @waits Never.
 * @example
 * ```ts
 * import { setText } from 'kds/inspect';
 *
 * console.log(setText({ exclusive: ['db'], shared: ['config'] })); // -x db -s config
 * ```
 * @since 0.2.0
 */
export function setText({ exclusive, shared, units = {} }: NamedSet, countMax = 8): string {
  const parts: string[] = [];
  const add = (option: string, names: readonly string[], after = (_: string) => ''): void => {
    for (const name of names.slice(0, Math.max(0, countMax - parts.length))) {
      parts.push(`${option} ${printable(name, printedLengthMax)}${after(name)}`);
    }
  };
  const counted = Object.keys(units);
  add('-x', exclusive);
  add('-u', counted, (name) => `=${units[name]}`);
  add('-s', shared);
  const moreCount = exclusive.length + counted.length + shared.length - parts.length;
  if (moreCount > 0) parts.push(`and ${moreCount} more`);
  return parts.length === 0 ? 'nothing' : parts.join(' ');
}

/**
 * Describes a duration in two figures at most: `0.4 s`, `12 s`, `3 m 20 s`, `5 h 1 m`, `2 d 3 h`.
 *
 * @param ms - The duration, in ms. A negative one counts as 0.
 * @waits Never.
 * @example
 * ```ts
 * import { durationText } from 'kds/inspect';
 *
 * console.log(durationText(200_000)); // 3 m 20 s
 * ```
 * @since 0.1.0
 */
export function durationText(ms: number): string {
  const s = Math.max(0, ms) / 1000;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 60) return `${Math.floor(s)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} m ${Math.floor(s % 60)} s`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} m`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}
