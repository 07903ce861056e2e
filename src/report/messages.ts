/** Sets, and who holds or awaits them, in words: for errors that people read. */

import type { DeadlockStep } from '../api/errors.ts';
import { labelLengthMax } from '../api/limits.ts';
import type { NamedSet } from '../api/sets.ts';
import { quote } from '../runtime/escape.ts';

/** Who stands at the head of a queue, and for how long. */
export function ownerInWords(who: string, isHeld: boolean, forMs: number): string {
  const forSeconds = (forMs / 1000).toFixed(1);
  return isHeld
    ? `held by ${who} for ${forSeconds} s`
    : `due to ${who}, which has waited for ${forSeconds} s`;
}

/** A circle of sets, the refused one first; its `id` is 0 if it has not got one. */
export function circleInWords(steps: readonly DeadlockStep[]): string {
  const told = steps.map(({ id, label, isHeld, set }) => {
    const unnamed = id === 0 ? 'this' : `request ${id}`;
    const who = label === undefined ? unnamed : quote(label, labelLengthMax);
    return `${who} ${isHeld ? 'holding' : 'waiting for'} ${setInWords(set)}`;
  });
  return (
    `this would wait for ever: ${told.join(' <- ')} <- kept by the first. ` +
    'Take both sets at once, or release what is held before asking.'
  );
}

function setInWords({ exclusive, shared }: NamedSet): string {
  const parts: string[] = [];
  if (exclusive.length > 0)
    parts.push(`exclusive ${exclusive.map((name) => quote(name)).join(', ')}`);
  if (shared.length > 0) parts.push(`shared ${shared.map((name) => quote(name)).join(', ')}`);
  return parts.join(' and ');
}
