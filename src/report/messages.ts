/** Parts of error messages that describe sets, their owners and cycles of them. */

import type { DeadlockStep } from '../api/errors.ts';
import { labelLengthMax } from '../api/limits.ts';
import { conflict, describeSet, namesIn, unitsIn } from '../api/mode.ts';
import type { NamedSet } from '../api/sets.ts';
import { quote } from '../runtime/escape.ts';

/** Describes the owner at the head of a queue, which has held or waited for `forMs`. */
export function describeOwner(owner: string, isHeld: boolean, forMs: number): string {
  const forSeconds = (forMs / 1000).toFixed(1);
  return isHeld
    ? `held by ${owner} for ${forSeconds} s`
    : `due to ${owner}, which has waited for ${forSeconds} s`;
}

/** A set in the way of one that takes units. */
export interface UnitsOfSet {
  readonly owner: string;
  readonly units: number;
}

/** Number of sets that such a text names. */
const namedCountMax = 3;

/**
 * Describes why a set does not get the units of a resource that it takes: `needs 2 of 4; 3 are held
 * by "A" (2) and "B" (1); ahead in line: "C" (1)`. `isCut`: there are more sets than these.
 */
export function describeNeed(need: {
  readonly own: number;
  readonly capacity: number;
  readonly holders: readonly UnitsOfSet[];
  readonly ahead: readonly UnitsOfSet[];
  readonly isCut: boolean;
}): string {
  const { own, capacity, holders, ahead, isCut } = need;
  const parts = [own === capacity ? `needs all ${capacity}` : `needs ${own} of ${capacity}`];
  if (holders.length > 0) {
    const sum = holders.reduce((total, { units }) => total + units, 0);
    const held = `${isCut ? 'at least ' : ''}${sum} ${sum === 1 ? 'is' : 'are'} held`;
    parts.push(`${held} by ${listOf(holders)}`);
  }
  if (ahead.length > 0) parts.push(`ahead in line: ${listOf(ahead)}`);
  if (isCut) parts.push('and more sets');
  return parts.join('; ');
}

function listOf(sets: readonly UnitsOfSet[]): string {
  const named = sets.slice(0, namedCountMax).map(({ owner, units }) => `${owner} (${units})`);
  const countMore = sets.length - named.length;
  if (countMore > 0) return `${named.join(', ')} and ${countMore} more`;
  const last = named.pop() as string;
  return named.length === 0 ? last : `${named.join(', ')} and ${last}`;
}

/**
 * Describes a cycle of sets, the refused one first. The caller of the first keeps the last. The
 * `id` of a step is 0 if its request has none.
 */
export function describeCycle(steps: readonly DeadlockStep[]): string {
  const described = steps.map((step, index) => {
    return `${requestOf(step)} ${blockedBy(step, steps[index + 1])}`;
  });
  return (
    `deadlock: ${described.join(', ')}. ` +
    'Acquire both sets at once, or release what is held before the request.'
  );
}

function requestOf({ id, label }: DeadlockStep): string {
  if (label !== undefined) return quote(label, labelLengthMax);
  return id === 0 ? 'this request' : `request ${id}`;
}

function blockedBy({ isHeld, set }: DeadlockStep, next: DeadlockStep | undefined): string {
  const kept = isHeld ? 'held' : 'queued';
  // The last step of a cycle.
  if (next === undefined) return `is ${kept} by this caller`;
  const conflict = conflictOf(set, next.set);
  if (isHeld || conflict === '') return `is ${kept} by the caller of ${requestOf(next)}`;
  return `waits for ${conflict} (${next.isHeld ? 'held' : 'queued'} by ${requestOf(next)})`;
}

/** Describes the part of a set that conflicts with another one; '' if there is none. */
function conflictOf(set: NamedSet, other: NamedSet): string {
  const theirs = new Set(namesIn(other));
  const excludes = (name: string): boolean =>
    theirs.has(name) && conflict(unitsIn(set, name), unitsIn(other, name));
  // Units may be too few together, though these two sets alone would fit.
  const units = Object.entries(set.units ?? {}).filter(([name]) => theirs.has(name));
  return describeSet({
    exclusive: set.exclusive.filter(excludes),
    shared: set.shared.filter(excludes),
    ...(units.length > 0 && { units: Object.fromEntries(units) }),
  });
}
