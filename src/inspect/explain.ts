/** Explains why requests wait for a resource. */

import { namesIn } from '../api/mode.ts';
import { describeNeed, type UnitsOfSet } from '../report/messages.ts';
import { printable } from '../runtime/escape.ts';
import {
  durationText,
  type InspectedEntry,
  type InspectedSnapshot,
  modeOf,
  modeText,
  ownerText,
  printedLengthMax,
  setText,
  unitCountText,
} from './entries.ts';
import { SnapshotIndex } from './snapshot-index.ts';

/**
 * Options of {@link explain}.
 *
 * @since 0.1.0
 */
export interface ExplainOptions {
  /** The time of the snapshot, by Date.now(), in ms. Default: now. */
  readonly nowMs?: number | undefined;
  /** Listed holders, and listed waiters, at most. Default 50. */
  readonly countMax?: number | undefined;
  /** Colours a word or line, on a terminal. Default: no colour. */
  readonly paint?: ((as: 'held' | 'waits' | 'free' | 'aside', text: string) => string) | undefined;
}

type Settings = Required<{ [Key in keyof ExplainOptions]: NonNullable<ExplainOptions[Key]> }>;

/**
 * Describes a resource: its holders, with times and sets; its queue, in order; and the grants that
 * the first waiter waits for, directly or through other waiters, on this resource or another one of
 * its set. Of a resource with a capacity also the units that are taken, and for each waiter that
 * waits for some, how many it needs, and which sets have them. Lines of text without control
 * characters, whatever the names are.
 *
 * @param snapshot - The result of `query()`.
 * @param name - Name of the resource.
 * @param options - The time of the snapshot, a limit of the lists, and colours.
 * @waits Never.
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 * import { explain } from 'kds/inspect';
 *
 * const domain = createDomain();
 * const grant = await domain.acquire({ exclusive: 'db' }, { label: 'migration' });
 * console.log(explain(await domain.query(), 'db'));
 * // db is held exclusive, for 0.0 s, by migration
 * //   set: -x db; token 1
 * // Queue: empty
 * grant.release();
 * ```
 * @since 0.1.0
 */
export function explain(
  snapshot: InspectedSnapshot,
  name: string,
  { nowMs = Date.now(), countMax = 50, paint = (_, text) => text }: ExplainOptions = {},
): string {
  const settings = { nowMs, countMax, paint };
  const index = new SnapshotIndex(snapshot);
  const { held, pending } = index.useOf(name);
  const lines = capacityLines(index, name);
  if (held.length === 0) {
    const state = pending.length === 0 ? 'free' : 'not held';
    lines.push(`${printable(name, printedLengthMax)} is ${paint('free', state)}`);
  }
  for (const entry of held.slice(0, countMax)) lines.push(...heldLines(entry, name, settings));
  if (held.length > countMax) lines.push(`… and ${held.length - countMax} more holders`);
  lines.push(...queueLines(index, name, settings));
  const [first] = pending;
  if (first !== undefined) lines.push(...causeLines(index, first, name, settings));
  return lines.join('\n');
}

function capacityLines({ capacities }: SnapshotIndex, name: string): string[] {
  const known = capacities.get(name);
  if (known === undefined) return [];
  const { capacity, taken } = known;
  const rest = taken > capacity ? `${taken - capacity} over capacity` : `${capacity - taken} free`;
  const title = printable(name, printedLengthMax);
  return [`${title} has ${unitCountText(capacity)}: ${taken} taken, ${rest}`];
}

function heldLines(entry: InspectedEntry, name: string, { nowMs, paint }: Settings): string[] {
  const { since, set, token } = entry;
  const comma = modeOf(entry, name) === 'units' ? ',' : '';
  const is = paint('held', `is held${comma} ${modeText(entry, name)}`);
  const duration = `for ${durationText(nowMs - since)}`;
  return [
    `${printable(name, printedLengthMax)} ${is}, ${duration}, by ${ownerText(entry)}`,
    paint('aside', `  set: ${setText(set)}; token ${token}`),
  ];
}

function queueLines(index: SnapshotIndex, name: string, settings: Settings): string[] {
  const { nowMs, countMax, paint } = settings;
  const { pending } = index.useOf(name);
  if (pending.length === 0) return ['Queue: empty'];
  const lines = [`Queue (${pending.length} ahead of you, ${demandText(index, name)}):`];
  const needs = needsOf(index, name);
  for (const [at, entry] of pending.slice(0, countMax).entries()) {
    const wants = paint('waits', modeText(entry, name));
    const duration = `for ${durationText(nowMs - entry.since)}`;
    lines.push(`  ${at + 1}. ${wants}, ${duration}: ${ownerText(entry)}`);
    const need = needs?.(entry, at);
    if (need !== undefined) lines.push(paint('aside', `     ${need}`));
  }
  if (pending.length > countMax) lines.push(`  … and ${pending.length - countMax} more`);
  return lines;
}

function demandText(index: SnapshotIndex, name: string): string {
  const { pending } = index.useOf(name);
  if (index.capacities.has(name)) {
    return unitCountText(pending.reduce((sum, entry) => sum + index.unitsOf(entry, name), 0));
  }
  return `${pending.filter((entry) => modeOf(entry, name) === 'exclusive').length} exclusive`;
}

/**
 * Describes why a waiter, by its index in line, does not get its units: `needs 2 of 4; 3 are held
 * by A (2) and B (1)`. Undefined if it does not wait for units.
 */
function needsOf(index: SnapshotIndex, name: string) {
  const { capacity } = index.capacities.get(name) ?? {};
  if (capacity === undefined) return undefined;
  const { held, pending } = index.useOf(name);
  const unitsOf = (entry: InspectedEntry): UnitsOfSet => {
    return { owner: ownerText(entry), units: index.unitsOf(entry, name) };
  };
  const holders = held.map(unitsOf);
  return (entry: InspectedEntry, at: number): string | undefined => {
    if (!index.isShort(entry, name)) return undefined;
    const ahead = pending.slice(0, at).map(unitsOf);
    const own = index.unitsOf(entry, name);
    return describeNeed({ own, capacity, holders, ahead, isCut: false });
  };
}

/** The grants that the first waiter waits for and that do not hold this resource. */
function causeLines(
  index: SnapshotIndex,
  first: InspectedEntry,
  name: string,
  { nowMs, countMax }: Settings,
): string[] {
  const elsewhere = index
    .holdersBefore(first)
    .filter((holder) => modeOf(holder, name) === undefined);
  if (elsewhere.length === 0) return [];
  const lines = elsewhere.slice(0, countMax).map((holder) => {
    const duration = `for ${durationText(nowMs - holder.since)}`;
    const names = namesIn(holder.set).length === 0 ? 'nothing' : setText(holder.set);
    return `  ${ownerText(holder)}, which has held ${names} ${duration}`;
  });
  if (elsewhere.length > countMax) lines.push(`  … and ${elsewhere.length - countMax} more`);
  return ['The first in the queue also waits, through its other resources, for:', ...lines];
}
