/** Who holds what and who waits for whom, as data and in words. */

import type { Core } from '../core/index.ts';
import { type DeadlockStep, WaitTimeoutError } from '../domain/errors.ts';
import type { NamedSet } from '../domain/sets.ts';
import type { Snapshot, SnapshotEntry } from '../domain/snapshot.ts';

/** Sets of core, and what is known of them besides: a host's, or those of a copy of its state. */
export interface SetsInView {
  readonly core: Core;
  readonly resources: { nameOf(queue: number): string };
  readonly clock: { now(): number; toEpochMs(timeMs: number): number };
  /** The same while it waits and while it is held, and grows with arrival. */
  idOf(set: number): number;
  /** Of a granted set. */
  tokenOf(set: number): number;
  labelOf(set: number): string | undefined;
  sessionLabelOf(set: number): string | undefined;
  /** When it was granted, or, if it waits, made: on the clock. */
  sinceOf(set: number): number;
}

/** So many resources are told about in an error. */
const toldCountMax = 3;

export function snapshotOf(host: SetsInView): Snapshot {
  const held: SnapshotEntry[] = [];
  const pending: SnapshotEntry[] = [];
  const sets = host.core.sets();
  const blockers = findBlockers(host, sets);
  for (const set of sets) {
    const entry = entryOf(host, set, blockers.get(set) ?? []);
    (entry.token === undefined ? pending : held).push(entry);
  }
  held.sort((a, b) => (a.token as number) - (b.token as number));
  pending.sort((a, b) => a.id - b.id);
  return { held, pending };
}

function entryOf(host: SetsInView, set: number, waitingFor: readonly number[]): SnapshotEntry {
  const { core } = host;
  return {
    id: host.idOf(set),
    set: namesOf(host, set),
    label: host.labelOf(set),
    session: host.sessionLabelOf(set),
    token: core.isGranted(set) ? host.tokenOf(set) : undefined,
    since: host.clock.toEpochMs(host.sinceOf(set)),
    waitingFor,
  };
}

function namesOf(host: SetsInView, set: number): NamedSet {
  const { core, resources } = host;
  const exclusive: string[] = [];
  const shared: string[] = [];
  for (let link = core.firstLink(set); link !== 0; link = core.nextLink(link)) {
    const names = core.isExclusive(link) ? exclusive : shared;
    names.push(resources.nameOf(core.resourceOf(link)));
  }
  return { exclusive, shared };
}

/** For each waiting set the ids of the nearest ones in its way. One walk through each queue. */
function findBlockers(
  host: SetsInView,
  sets: readonly number[],
): ReadonlyMap<number, readonly number[]> {
  const { core } = host;
  const blockers = new Map<number, Set<number>>();
  const queues = new Set<number>();
  for (const set of sets) {
    for (let link = core.firstLink(set); link !== 0; link = core.nextLink(link)) {
      queues.add(core.resourceOf(link));
    }
  }
  for (const queue of queues) {
    let lastExclusive: readonly number[] = [];
    let sharedSince: number[] = [];
    for (let link = core.firstInQueue(queue); link !== 0; link = core.nextInQueue(link)) {
      const set = core.setOf(link);
      const isExclusive = core.isExclusive(link);
      const nearest = isExclusive && sharedSince.length > 0 ? sharedSince : lastExclusive;
      if (!core.isGranted(set) && !core.isIgnored(link)) {
        const known = blockers.get(set) ?? new Set();
        for (const id of nearest) known.add(id);
        blockers.set(set, known);
      }
      if (isExclusive) {
        lastExclusive = [host.idOf(set)];
        sharedSince = [];
      } else {
        sharedSince.push(host.idOf(set));
      }
    }
  }
  return new Map([...blockers].map(([set, ids]) => [set, [...ids].sort((a, b) => a - b)]));
}

/** In words: what a waiting set waits for. Looks at the head of each queue only. */
export function inTheWayOf(host: SetsInView, set: number): string {
  const { core, resources } = host;
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
    told.push(`${mode} ${quote(resources.nameOf(queue))} is ${ownerOf(host, ahead)}`);
  }
  if (countMore > 0) told.push(`and ${countMore} more`);
  return told.join(', ');
}

/** The error of a waiting set whose time is over: who is in its way. */
export function timedOut(host: SetsInView, set: number, timeoutMs: number): WaitTimeoutError {
  return new WaitTimeoutError(
    `not granted within ${timeoutMs} ms: ${inTheWayOf(host, set)}. ` +
      'Wait longer, or see query() for who waits for whom.',
  );
}

/** In words: who stands at the head of a queue, and since when. */
export function ownerOf(host: SetsInView, set: number): string {
  const { core } = host;
  const who = host.labelOf(set) ?? host.sessionLabelOf(set);
  const name = who === undefined ? `request ${host.idOf(set)}` : JSON.stringify(who);
  const forSeconds = ((host.clock.now() - host.sinceOf(set)) / 1000).toFixed(1);
  return core.isGranted(set)
    ? `held by ${name} for ${forSeconds} s`
    : `due to ${name}, which has waited for ${forSeconds} s`;
}

/** A circle of sets, the refused one first, as data and in words. */
export function circleOf(
  host: SetsInView,
  circle: readonly number[],
  label: string | undefined,
): { readonly message: string; readonly steps: readonly DeadlockStep[] } {
  const steps = circle.map((set, index) => ({
    id: host.idOf(set),
    label: index === 0 ? label : host.labelOf(set),
    isHeld: host.core.isGranted(set),
    set: namesOf(host, set),
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
