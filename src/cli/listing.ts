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
  pidOf,
  setText,
} from './entries.ts';
import { printable } from './messages.ts';
import { coloured } from './output.ts';
import { cutTo, padded, widthOf } from './text-width.ts';

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
