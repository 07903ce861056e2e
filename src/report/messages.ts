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
  return describeSet({
    exclusive: set.exclusive.filter(excludes),
    shared: set.shared.filter(excludes),
  });
}
