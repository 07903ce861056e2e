/** Why one waits for a resource, in words. */

import { shown } from '../runtime/escape.ts';
import {
  durationText,
  type InspectedEntry,
  type InspectedSnapshot,
  modeOf,
  namesOf,
  setText,
  shownLengthMax,
  whoText,
} from './entries.ts';
import { SnapshotIndex } from './snapshot-index.ts';

export interface ExplainOptions {
  /** When the snapshot was taken, as Date.now() tells it. Default: now. */
  readonly nowMs?: number | undefined;
  /** So many of those who hold, and of those who wait, are told of. Default 50. */
  readonly countMax?: number | undefined;
  /** Colours a word or line, on a terminal. Default: leaves it as it is. */
  readonly paint?: ((as: 'held' | 'waits' | 'free' | 'aside', text: string) => string) | undefined;
}

type Settings = Required<{ [Key in keyof ExplainOptions]: NonNullable<ExplainOptions[Key]> }>;

/**
 * Says who holds a resource, since when and with what else; who stands in line for it, in order;
 * and for the first of those that waits, whom it waits for in the end, be that on this resource or
 * another one of its set. Lines of text without a control character, whatever the names are.
 *
 * @example
 * import { createDomain } from 'kds';
 * import { explain } from 'kds/inspect';
 *
 * const domain = createDomain();
 * const grant = await domain.acquire({ exclusive: 'db' }, { label: 'migration' });
 * console.log(explain(await domain.query(), 'db'));
 * // db is held exclusive, for 0.0 s, by migration
 * //   all of its set: -x db; token 1
 * // nobody is in line for it
 * grant.release();
 */
export function explain(
  snapshot: InspectedSnapshot,
  name: string,
  { nowMs = Date.now(), countMax = 50, paint = (_, text) => text }: ExplainOptions = {},
): string {
  const settings = { nowMs, countMax, paint };
  const index = new SnapshotIndex(snapshot);
  const { held, pending } = index.byName.get(name) ?? { held: [], pending: [] };
  const told = shown(name, shownLengthMax);
  const lines: string[] = [];
  if (held.length === 0) {
    const state = pending.length === 0 ? 'free' : 'held by nobody';
    lines.push(`${told} is ${paint('free', state)}`);
  }
  for (const entry of held.slice(0, countMax)) lines.push(...heldLines(entry, name, settings));
  if (held.length > countMax) lines.push(`… and ${held.length - countMax} more hold it`);
  lines.push(...lineOf(pending, name, settings));
  const [first] = pending;
  if (first !== undefined) lines.push(...causeLines(index, first, name, settings));
  return lines.join('\n');
}

function heldLines(entry: InspectedEntry, name: string, { nowMs, paint }: Settings): string[] {
  const { since, set, token } = entry;
  const is = paint('held', `is held ${modeOf(entry, name)}`);
  const forSoLong = `for ${durationText(nowMs - since)}`;
  return [
    `${shown(name, shownLengthMax)} ${is}, ${forSoLong}, by ${whoText(entry)}`,
    paint('aside', `  all of its set: ${setText(set)}; token ${token}`),
  ];
}

function lineOf(pending: readonly InspectedEntry[], name: string, settings: Settings): string[] {
  const { nowMs, countMax, paint } = settings;
  if (pending.length === 0) return ['nobody is in line for it'];
  const writerCount = pending.filter((entry) => modeOf(entry, name) === 'exclusive').length;
  const lines = [
    `before you wait ${pending.length}, ${writerCount} of them exclusive:`,
    ...pending.slice(0, countMax).map((entry, index) => {
      const wants = paint('waits', String(modeOf(entry, name)));
      const forSoLong = `for ${durationText(nowMs - entry.since)}`;
      return `  ${index + 1}. ${wants}, ${forSoLong}: ${whoText(entry)}`;
    }),
  ];
  if (pending.length > countMax) lines.push(`  … and ${pending.length - countMax} more`);
  return lines;
}

/** What keeps the first in line, if that is not told by who holds the resource. */
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
    const forSoLong = `for ${durationText(nowMs - holder.since)}`;
    const names = namesOf(holder.set).length === 0 ? 'nothing' : setText(holder.set);
    return `  ${whoText(holder)}, which has held ${names} ${forSoLong}`;
  });
  if (elsewhere.length > countMax) lines.push(`  … and ${elsewhere.length - countMax} more`);
  return ['the first in line also waits, by way of its other resources, for:', ...lines];
}
