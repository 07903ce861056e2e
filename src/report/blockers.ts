/** Describes owners of resources and blockers of requests, as core has them. */

import { type DeadlockStep, LockedError, WaitTimeoutError } from '../api/errors.ts';
import { labelLengthMax } from '../api/limits.ts';
import { modeOf } from '../api/mode.ts';
import type { NamedSet } from '../api/sets.ts';
import { quote } from '../runtime/escape.ts';
import type { CoreReader } from './core-reader.ts';
import { describeCycle, describeOwner } from './messages.ts';

/** Number of resources that an error describes one by one. */
const describedCountMax = 3;

export function namesOf(reader: Pick<CoreReader, 'core' | 'nameOf'>, set: number): NamedSet {
  const { core } = reader;
  const exclusive: string[] = [];
  const shared: string[] = [];
  for (let link = core.firstLink(set); link !== 0; link = core.nextLink(link)) {
    const names = core.isExclusive(link) ? exclusive : shared;
    names.push(reader.nameOf(core.resourceOf(link)));
  }
  return { exclusive, shared };
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
    const mode = modeOf(core.units(link));
    const head = core.setOf(core.firstInQueue(queue));
    described.push(`${mode} ${quote(reader.nameOf(queue))} is ${describeOwnerOf(reader, head)}`);
  }
  if (countMore > 0) described.push(`and ${countMore} more`);
  return described.join(', ');
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
  const { core } = reader;
  const label = reader.labelOf(set) ?? reader.sessionLabelOf(set);
  const owner = label === undefined ? `request ${reader.idOf(set)}` : quote(label, labelLengthMax);
  return describeOwner(owner, core.isGranted(set), reader.clock.now() - reader.sinceOf(set));
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
