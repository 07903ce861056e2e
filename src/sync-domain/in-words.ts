/** Who holds what, and who is in whose way, in words. */

import { type DeadlockStep, WaitTimeoutError } from '../domain/errors.ts';
import type { NamedSet } from '../domain/sets.ts';
import type { SetsInView } from './sets-in-view.ts';

/** So many resources are told about in an error. */
const toldCountMax = 3;

export function namesOf(view: SetsInView, set: number): NamedSet {
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
  const name = who === undefined ? `request ${view.idOf(set)}` : JSON.stringify(who);
  const forSeconds = ((view.clock.now() - view.sinceOf(set)) / 1000).toFixed(1);
  return core.isGranted(set)
    ? `held by ${name} for ${forSeconds} s`
    : `due to ${name}, which has waited for ${forSeconds} s`;
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
  const names = steps.map(
    (step) =>
      `${step.label === undefined ? `request ${step.id}` : JSON.stringify(step.label)} ` +
      `${step.isHeld ? 'holding' : 'waiting for'} ${inWords(step.set)}`,
  );
  return {
    message:
      `this would wait for ever: ${names.join(' <- ')} <- kept by the first. ` +
      'Take both sets at once, or release what is held before asking.',
    steps,
  };
}

function inWords({ exclusive, shared }: NamedSet): string {
  const parts: string[] = [];
  if (exclusive.length > 0) parts.push(`exclusive ${exclusive.map(quote).join(', ')}`);
  if (shared.length > 0) parts.push(`shared ${shared.map(quote).join(', ')}`);
  return parts.join(' and ');
}

function quote(name: string): string {
  return JSON.stringify(name.length > 60 ? `${name.slice(0, 60)}…` : name);
}
