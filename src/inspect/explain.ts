/** Explains why requests wait for a resource. */

import { namesIn } from '../api/mode.ts';
import { printable } from '../runtime/escape.ts';
import {
  durationText,
  type InspectedEntry,
  type InspectedSnapshot,
  modeOf,
  ownerText,
  printedLengthMax,
  setText,
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
 * its set. Lines of text without control characters, whatever the names are.
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
  const { held, pending } = index.byName.get(name) ?? { held: [], pending: [] };
  const lines: string[] = [];
  if (held.length === 0) {
    const state = pending.length === 0 ? 'free' : 'not held';
    lines.push(`${printable(name, printedLengthMax)} is ${paint('free', state)}`);
  }
  for (const entry of held.slice(0, countMax)) lines.push(...heldLines(entry, name, settings));
  if (held.length > countMax) lines.push(`… and ${held.length - countMax} more holders`);
  lines.push(...queueLines(pending, name, settings));
  const [first] = pending;
  if (first !== undefined) lines.push(...causeLines(index, first, name, settings));
  return lines.join('\n');
}

function heldLines(entry: InspectedEntry, name: string, { nowMs, paint }: Settings): string[] {
  const { since, set, token } = entry;
  const is = paint('held', `is held ${modeOf(entry, name)}`);
  const duration = `for ${durationText(nowMs - since)}`;
  return [
    `${printable(name, printedLengthMax)} ${is}, ${duration}, by ${ownerText(entry)}`,
    paint('aside', `  set: ${setText(set)}; token ${token}`),
  ];
}

function queueLines(
  pending: readonly InspectedEntry[],
  name: string,
  settings: Settings,
): string[] {
  const { nowMs, countMax, paint } = settings;
  if (pending.length === 0) return ['Queue: empty'];
  const writerCount = pending.filter((entry) => modeOf(entry, name) === 'exclusive').length;
  const lines = [
    `Queue (${pending.length} ahead of you, ${writerCount} exclusive):`,
    ...pending.slice(0, countMax).map((entry, index) => {
      const wants = paint('waits', String(modeOf(entry, name)));
      const duration = `for ${durationText(nowMs - entry.since)}`;
      return `  ${index + 1}. ${wants}, ${duration}: ${ownerText(entry)}`;
    }),
  ];
  if (pending.length > countMax) lines.push(`  … and ${pending.length - countMax} more`);
  return lines;
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
