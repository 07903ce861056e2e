/**
 * Checks whether clients of a remote domain ever held sets in conflict, or one unit.
 *
 * A client receives its grant after the grant was given, and records its release before the release
 * takes effect, so the recorded time is within the real one. Grants that were lost, or whose end is
 * not in the trace, are left out: their clients may be notified after the next holder was granted.
 */

import { conflict, namesIn, unitsIn } from '../api/mode.ts';
import type { Unit } from '../api/units.ts';
import { printable } from '../runtime/escape.ts';
import type { Checker, ReportFault } from './checker.ts';
import type { TracedEvent } from './read-trace.ts';

/** From here on, the grant has the set of the event. */
const changes: ReadonlySet<string> = new Set(['kds.grant.weaken', 'kds.grant.upgrade']);

interface Held {
  readonly event: TracedEvent;
  readonly untilUs: number;
}

export class Exclusion implements Checker {
  readonly olderCount = 0;
  /** No sums are checked here: no unit may be in two grants. */
  readonly olderCapacityCount = 0;
  readonly #report: ReportFault;
  readonly #open = new Map<string, TracedEvent>();
  /** Sets that were held from a grant to a release or a change. */
  readonly #closed: Held[] = [];

  constructor(report: ReportFault) {
    this.#report = report;
  }

  add(event: TracedEvent): void {
    const key = `${event.pid} ${event.threadId} ${event.id} ${event.token}`;
    const open = this.#open.get(key);
    if (event.name === 'kds.request.grant') {
      this.#open.set(key, event);
    } else if (event.name === 'kds.grant.release' || changes.has(event.name)) {
      if (open !== undefined) this.#closed.push({ event: open, untilUs: event.timeUs });
      this.#open.delete(key);
      if (changes.has(event.name)) this.#open.set(key, event);
    } else if (event.name === 'kds.grant.lost') {
      this.#open.delete(key);
    }
  }

  end(): void {
    const holders = new Map<string, Held[]>();
    this.#closed.sort((a, b) => a.event.timeUs - b.event.timeUs);
    for (const held of this.#closed) {
      for (const name of namesIn(held.event.set)) {
        const earlier = (holders.get(name) ?? []).filter(
          ({ untilUs }) => untilUs > held.event.timeUs,
        );
        for (const other of earlier) this.#compare(name, other.event, held.event);
        holders.set(name, [...earlier, held]);
      }
    }
  }

  #compare(name: string, one: TracedEvent, other: TracedEvent): void {
    if (one.token === other.token) return;
    const unit = sharedUnit(one, other, name);
    const isConflict = conflict(unitsIn(one.set, name), unitsIn(other.set, name));
    if (!isConflict && unit === undefined) return;
    const holder = `${one.label ?? one.token} of process ${one.pid}`;
    const of = isConflict ? '' : `unit ${printable(String(unit), 80)} of `;
    this.#report(other, `${of}${printable(name, 80)} was still held by ${printable(holder)}`);
  }
}

function sharedUnit(one: TracedEvent, other: TracedEvent, name: string): Unit | undefined {
  const [units, others] = [one, other].map(({ units = {} }) => {
    return Object.hasOwn(units, name) ? (units[name] ?? []) : [];
  });
  const known = new Set(others);
  return units?.find((unit) => known.has(unit));
}
