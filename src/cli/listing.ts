/**
 * Entries as a table for people, or as lines for programs: a fixed number of fields separated by
 * tabs, `-` for an empty field, and no tab or line feed in any.
 */

import {
  commandOf,
  durationText,
  type Entry,
  type Listing,
  labelOf,
  ownerText,
  pidOf,
  setText,
} from './entries.ts';
import { printable } from './messages.ts';
import { coloured } from './output.ts';
import { cutTo, padded, widthOf } from './text-width.ts';

/** Units of a holder, and holders, that a line lists. */
const unitsListedMax = 8;
const holdersListedMax = 50;
/** Longer names are cut, as in sets. */
const printedLengthMax = 80;

const head = ['ID', 'STATE', 'FOR', 'PID', 'SET', 'LABEL', 'WAITS FOR', 'COMMAND'];

/** Lines for a terminal, cut to its columns. */
export function tableOf({ held, pending }: Listing, columns: number): string[] {
  const nowMs = Date.now();
  const rows = [...held, ...pending].map((entry) => cellsOf(entry, nowMs));
  const all = [head, ...rows];
  const widths = head.map((_, column) =>
    all.reduce((width, cells) => Math.max(width, cellWidthOf(cells, column)), 0),
  );
  return all.map((cells, index) => {
    const aligned = cells.map((cell, column) => padded(cell, widths[column] as number));
    const line = cutTo(aligned.join('  ').trimEnd(), columns);
    if (index === 0) return coloured('bold', line);
    return coloured(cells[1] === 'held' ? 'green' : 'yellow', line);
  });
}

/**
 * For people: a line for each resource with a capacity, with its units and their holders:
 * `gpu: 3 of 4 units taken, 1 waiting: gpu0, gpu1 by A; gpu2 by B`.
 */
export function poolLines({ held, capacities = [] }: Listing, columns: number): string[] {
  const index = new Map(capacities.map(({ resource }) => [resource, [] as string[]]));
  for (const entry of held) {
    for (const [name, units] of Object.entries(entry.units ?? {})) {
      const holders = index.get(name);
      if (holders === undefined || holders.length === holdersListedMax) continue;
      const listed = units
        .slice(0, unitsListedMax)
        .map((unit) => printable(String(unit), printedLengthMax));
      if (units.length > listed.length) listed.push(`and ${units.length - listed.length} more`);
      holders.push(`${listed.join(', ')} by ${ownerText(entry)}`);
    }
  }
  return capacities.map(({ resource, capacity, taken, waiting }) => {
    const counts = `${taken} of ${capacity} units taken, ${waiting} waiting`;
    const holders = index.get(resource) ?? [];
    const end = holders.length === 0 ? '' : `: ${holders.join('; ')}`;
    return cutTo(`${printable(resource, printedLengthMax)}: ${counts}${end}`, columns);
  });
}

function cellWidthOf(cells: readonly string[], column: number): number {
  return widthOf(cells[column] as string);
}

function cellsOf(entry: Entry, nowMs: number): string[] {
  return [
    String(entry.id),
    stateOf(entry),
    durationText(nowMs - entry.since),
    pidOf(entry),
    setText(entry.set, Number.POSITIVE_INFINITY),
    quotedOr(labelOf(entry), ''),
    entry.waitingFor.join(' '),
    commandOf(entry),
  ];
}

/** A line for programs: state, id, since, token, pid, set, label, blockers, command. */
export function plainLineOf(entry: Entry): string {
  return [
    stateOf(entry),
    String(entry.id),
    new Date(entry.since).toISOString(),
    entry.token === undefined ? '-' : String(entry.token),
    pidOf(entry),
    setText(entry.set, Number.POSITIVE_INFINITY),
    quotedOr(labelOf(entry), '-'),
    entry.waitingFor.join(',') || '-',
    commandOf(entry) || '-',
  ].join('\t');
}

function stateOf({ token }: Entry): string {
  return token === undefined ? 'waits' : 'held';
}

function quotedOr(label: string, empty: string): string {
  return label === '' ? empty : printable(label);
}
