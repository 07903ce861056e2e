/** Who holds what and who waits for whom, as data and in words. */

import type { DeadlockStep } from '../../domain/errors.ts';
import type { NamedSet } from '../../domain/sets.ts';
import type { Snapshot, SnapshotEntry } from '../../domain/snapshot.ts';
import { ProcessGrant } from './grant.ts';
import type { ProcessHost } from './host.ts';
import { ObserverRequest, type ProcessRequest } from './request.ts';

/** So many resources are told about in an error. */
const toldCountMax = 3;

export function snapshotOf(host: ProcessHost): Snapshot {
  const held: SnapshotEntry[] = [];
  const pending: SnapshotEntry[] = [];
  const blockers = findBlockers(host);
  for (const object of host.live.values()) {
    if (object instanceof ObserverRequest) continue;
    const entry = entryOf(host, object, blockers.get(object.set) ?? []);
    (object instanceof ProcessGrant ? held : pending).push(entry);
  }
  held.sort((a, b) => (a.token as number) - (b.token as number));
  pending.sort((a, b) => a.id - b.id);
  return { held, pending };
}

function entryOf(
  host: ProcessHost,
  object: ProcessGrant | ProcessRequest,
  waitingFor: readonly number[],
): SnapshotEntry {
  return {
    id: host.core.arrival(object.set),
    set: namesOf(host, object.set),
    label: object.label,
    session: object.scope.label,
    token: object instanceof ProcessGrant ? object.token : undefined,
    since: host.clock.toEpochMs(object.sinceMs),
    waitingFor,
  };
}

function namesOf(host: ProcessHost, set: number): NamedSet {
  const { core, resources } = host;
  const exclusive: string[] = [];
  const shared: string[] = [];
  for (let link = core.firstLink(set); link !== 0; link = core.nextLink(link)) {
    const names = core.isExclusive(link) ? exclusive : shared;
    names.push(String(resources.of(core.resourceOf(link))));
  }
  return { exclusive, shared };
}

/** For each waiting set the ids of the nearest ones in its way. One walk through each queue. */
function findBlockers(host: ProcessHost): ReadonlyMap<number, readonly number[]> {
  const { core } = host;
  const blockers = new Map<number, Set<number>>();
  const queues = new Set<number>();
  for (const { set } of host.live.values()) {
    if (core.isObserver(set)) continue;
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
      if (!core.isGranted(set)) {
        const known = blockers.get(set) ?? new Set();
        for (const id of nearest) known.add(id);
        blockers.set(set, known);
      }
      if (isExclusive) {
        lastExclusive = [core.arrival(set)];
        sharedSince = [];
      } else {
        sharedSince.push(core.arrival(set));
      }
    }
  }
  return new Map([...blockers].map(([set, ids]) => [set, [...ids].sort((a, b) => a - b)]));
}

/** In words: what a waiting set waits for. Looks at the head of each queue only. */
export function inTheWayOf(host: ProcessHost, set: number): string {
  const { core, resources } = host;
  const told: string[] = [];
  let countMore = 0;
  for (let link = core.firstLink(set); link !== 0; link = core.nextLink(link)) {
    if (core.isTriggered(link)) continue;
    if (told.length === toldCountMax) {
      countMore++;
      continue;
    }
    const queue = core.resourceOf(link);
    const mode = core.isExclusive(link) ? 'exclusive' : 'shared';
    const ahead = core.setOf(core.firstInQueue(queue));
    told.push(`${mode} ${JSON.stringify(String(resources.of(queue)))} is ${ownerOf(host, ahead)}`);
  }
  if (countMore > 0) told.push(`and ${countMore} more`);
  return told.join(', ');
}

/** In words: who stands at the head of a queue, and since when. */
export function ownerOf(host: ProcessHost, set: number): string {
  const object = host.live.get(host.core.tag(set));
  const forSeconds = ((host.clock.now() - object.sinceMs) / 1000).toFixed(1);
  const who = object.label ?? object.scope.label;
  const name = who === undefined ? `request ${host.core.arrival(set)}` : JSON.stringify(who);
  return object instanceof ProcessGrant
    ? `held by ${name} for ${forSeconds} s`
    : `due to ${name}, which has waited for ${forSeconds} s`;
}

/** A circle of sets, the refused one first, as data and in words. */
export function circleOf(
  host: ProcessHost,
  circle: readonly number[],
  label: string | undefined,
): { readonly message: string; readonly steps: readonly DeadlockStep[] } {
  const steps = circle.map((set, index) => ({
    id: host.core.arrival(set),
    label: index === 0 ? label : host.live.get(host.core.tag(set)).label,
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
