/** Describes owners of resources and blockers of requests, as core has them. */

import { type DeadlockStep, LockedError, WaitTimeoutError } from '../api/errors.ts';
import { labelLengthMax } from '../api/limits.ts';
import { modeOf, namedSetOf, type Part, takesAll } from '../api/mode.ts';
import type { NamedSet } from '../api/sets.ts';
import { quote } from '../runtime/escape.ts';
import type { CoreReader } from './core-reader.ts';
import { describeCycle, describeNeed, describeOwner, type UnitsOfSet } from './messages.ts';

/** Number of resources that an error describes one by one. */
const describedCountMax = 3;
/** Number of sets at the front of a queue that an error counts units of. */
const frontLength = 100;

export function namesOf(reader: Pick<CoreReader, 'core' | 'nameOf'>, set: number): NamedSet {
  const { core } = reader;
  const parts: Part[] = [];
  for (let link = core.firstLink(set); link !== 0; link = core.nextLink(link)) {
    const queue = core.resourceOf(link);
    const part = { resource: reader.nameOf(queue), units: core.units(link) };
    parts.push(core.isMetered(queue) ? { ...part, of: 0 } : part);
  }
  return namedSetOf(parts);
}

/** Describes what a waiting set waits for. Reads the head of each queue only. */
export function describeBlockers(reader: CoreReader, set: number): string {
  const { core } = reader;
  const described: string[] = [];
  let countMore = 0;
  for (let link = core.firstLink(set); link !== 0; link = core.nextLink(link)) {
    if (core.isTriggered(link) || core.isIgnored(link)) continue;
    if (described.length === describedCountMax) {
      countMore++;
      continue;
    }
    const queue = core.resourceOf(link);
    if (core.isMetered(queue)) {
      described.push(describeShortage(reader, queue, core.units(link), link));
      continue;
    }
    const mode = modeOf({ units: core.units(link) });
    const head = core.setOf(core.firstInQueue(queue));
    described.push(`${mode} ${quote(reader.nameOf(queue))} is ${describeOwnerOf(reader, head)}`);
  }
  if (countMore > 0) described.push(`and ${countMore} more`);
  return described.join(', ');
}

/**
 * Describes what a link waits for, or one at the end of the queue would: `"gpu": needs 2 of 4; 3
 * are held by "A" (2) and "B" (1); ahead in line: "C" (1)`. Reads the front of the queue only.
 */
export function describeShortage(
  reader: CoreReader,
  queue: number,
  wanted: number,
  waiting = 0,
): string {
  const { core } = reader;
  const capacity = core.capacity(queue);
  const holders: UnitsOfSet[] = [];
  const ahead: UnitsOfSet[] = [];
  let count = 0;
  let link = core.firstInQueue(queue);
  for (; link !== 0 && link !== waiting && count < frontLength; link = core.nextInQueue(link)) {
    const set = core.setOf(link);
    const units = core.isExclusive(link) ? capacity : core.units(link);
    (core.isGranted(set) ? holders : ahead).push({ owner: ownerOf(reader, set), units });
    count++;
  }
  const own = takesAll(wanted) ? capacity : wanted;
  const isCut = link !== 0 && link !== waiting;
  const need = describeNeed({ own, capacity, holders, ahead, isCut });
  return `${quote(reader.nameOf(queue))}: ${need}`;
}

/** The error of a waiting set whose time limit has passed; it names the blockers. */
export function waitTimeout(reader: CoreReader, set: number, timeoutMs: number): WaitTimeoutError {
  return new WaitTimeoutError(
    `not granted within ${timeoutMs} ms: ${describeBlockers(reader, set)}. ` +
      'Wait longer; query() shows the holders and the queue.',
  );
}

/** The error of a request that does not wait for synchronous callers; one has this queue. */
export function usedSynchronously(reader: CoreReader, queue: number): LockedError {
  const { core } = reader;
  const owner = describeOwnerOf(reader, core.setOf(core.firstInQueue(queue)));
  return new LockedError(
    `${quote(reader.nameOf(queue))} is used by a synchronous caller: it is ${owner}. ` +
      "Request it with locked: 'wait' instead.",
  );
}

/** Describes a set at the head of a queue: its label, and since when it holds or waits. */
export function describeOwnerOf(reader: CoreReader, set: number): string {
  const isHeld = reader.core.isGranted(set);
  return describeOwner(ownerOf(reader, set), isHeld, reader.clock.now() - reader.sinceOf(set));
}

/** The label of a set, or its number. */
function ownerOf(reader: CoreReader, set: number): string {
  const label = reader.labelOf(set) ?? reader.sessionLabelOf(set);
  return label === undefined ? `request ${reader.idOf(set)}` : quote(label, labelLengthMax);
}

/** A cycle of core's sets, the refused one first, as data and as a message. */
export function cycleOf(
  reader: CoreReader,
  cycle: readonly number[],
  label: string | undefined,
): { readonly message: string; readonly steps: readonly DeadlockStep[] } {
  const steps = cycle.map((set, index) => ({
    id: reader.idOf(set),
    label: index === 0 ? label : reader.labelOf(set),
    isHeld: reader.core.isGranted(set),
    set: namesOf(reader, set),
  }));
  return { message: describeCycle(steps), steps };
}
