/**
 * Whether clients of a host elsewhere ever held in conflict what they were granted.
 *
 * A client hears of its grant after that was given, and says that it releases before that is done,
 * so what it tells lies within what was so. Grants that were lost, or whose end was not told, are
 * left out: their clients may hear late that somebody else holds it by right.
 */

import { shown } from '../runtime/escape.ts';
import type { Checker } from './check-trace.ts';
import { modeOf, namesOf } from './entries.ts';
import type { TracedEvent } from './read-trace.ts';

interface Held {
  readonly event: TracedEvent;
  readonly untilUs: number;
}

export class Exclusion implements Checker {
  readonly olderCount = 0;
  readonly #report: (event: TracedEvent | undefined, what: string) => void;
  readonly #open = new Map<string, TracedEvent>();
  /** What was held from a grant until a release, or until less of it was. */
  readonly #closed: Held[] = [];

  constructor(report: (event: TracedEvent | undefined, what: string) => void) {
    this.#report = report;
  }

  add(event: TracedEvent): void {
    const key = `${event.pid} ${event.threadId} ${event.id} ${event.token}`;
    const open = this.#open.get(key);
    if (event.name === 'kds.request.grant') {
      this.#open.set(key, event);
    } else if (event.name === 'kds.grant.release' || event.name === 'kds.grant.weaken') {
      if (open !== undefined) this.#closed.push({ event: open, untilUs: event.timeUs });
      this.#open.delete(key);
      if (event.name === 'kds.grant.weaken') this.#open.set(key, event);
    } else if (event.name === 'kds.grant.lost') {
      this.#open.delete(key);
    }
  }

  end(): void {
    const holders = new Map<string, Held[]>();
    this.#closed.sort((a, b) => a.event.timeUs - b.event.timeUs);
    for (const held of this.#closed) {
      for (const name of namesOf(held.event.set)) {
        const earlier = (holders.get(name) ?? []).filter(
          ({ untilUs }) => untilUs > held.event.timeUs,
        );
        for (const other of earlier) this.#compare(name, other.event, held.event);
        holders.set(name, [...earlier, held]);
      }
    }
  }

  #compare(name: string, one: TracedEvent, other: TracedEvent): void {
    const modes = [one, other].map(({ set }) => modeOf({ set }, name));
    if (!modes.includes('exclusive') || one.token === other.token) return;
    const who = `${one.label ?? one.token} of process ${one.pid}`;
    this.#report(other, `${shown(name, 80)} was still held by ${shown(who)}`);
  }
}
