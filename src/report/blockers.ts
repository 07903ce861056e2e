/** Who holds what, and who is in whose way, in words. */

import { type DeadlockStep, WaitTimeoutError } from '../api/errors.ts';
import { labelLengthMax } from '../api/limits.ts';
import type { NamedSet } from '../api/sets.ts';
import { quote } from '../runtime/escape.ts';
import type { SetsInView } from './core-reader.ts';
import { circleInWords, ownerInWords } from './messages.ts';

/** So many resources are told about in an error. */
const toldCountMax = 3;

export function namesOf(view: Pick<SetsInView, 'core' | 'nameOf'>, set: number): NamedSet {
  const { core } = view;
  const exclusive: string[] = [];
  const shared: string[] = [];
  for (let link = core.firstLink(set); link !== 0; link = core.nextLink(link)) {
    const names = core.isExclusive(link) ? exclusive : shared;
    names.push(view.nameOf(core.resourceOf(link)));
  }
  return { exclusive, shared };
}

/** In words: what a waiting set waits for. Looks at the head of each queue only. */
export function inTheWayOf(view: SetsInView, set: number): string {
  const { core } = view;
  const told: string[] = [];
  let countMore = 0;
  for (let link = core.firstLink(set); link !== 0; link = core.nextLink(link)) {
    if (core.isTriggered(link) || core.isIgnored(link)) continue;
    if (told.length === toldCountMax) {
      countMore++;
      continue;
    }
    const queue = core.resourceOf(link);
    const mode = core.isExclusive(link) ? 'exclusive' : 'shared';
    const ahead = core.setOf(core.firstInQueue(queue));
    told.push(`${mode} ${quote(view.nameOf(queue))} is ${ownerOf(view, ahead)}`);
  }
  if (countMore > 0) told.push(`and ${countMore} more`);
  return told.join(', ');
}

/** The error of a waiting set whose time is over: who is in its way. */
export function timedOut(view: SetsInView, set: number, timeoutMs: number): WaitTimeoutError {
  return new WaitTimeoutError(
    `not granted within ${timeoutMs} ms: ${inTheWayOf(view, set)}. ` +
      'Wait longer, or see query() for who waits for whom.',
  );
}

/** In words: who stands at the head of a queue, and since when. */
export function ownerOf(view: SetsInView, set: number): string {
  const { core } = view;
  const who = view.labelOf(set) ?? view.sessionLabelOf(set);
  const name = who === undefined ? `request ${view.idOf(set)}` : quote(who, labelLengthMax);
  return ownerInWords(name, core.isGranted(set), view.clock.now() - view.sinceOf(set));
}

/** A circle of sets, the refused one first, as data and in words. */
export function circleOf(
  view: SetsInView,
  circle: readonly number[],
  label: string | undefined,
): { readonly message: string; readonly steps: readonly DeadlockStep[] } {
  const steps = circle.map((set, index) => ({
    id: view.idOf(set),
    label: index === 0 ? label : view.labelOf(set),
    isHeld: view.core.isGranted(set),
    set: namesOf(view, set),
  }));
  return { message: circleInWords(steps), steps };
}
