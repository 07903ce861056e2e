/**
 * Whether a run that was traced obeyed the rule: its operations are replayed, in their order, into
 * the rule as it is written naively, and each grant is compared with what that says.
 *
 * Of the host that ordered the operations all is checked: that nobody was granted anything while an
 * earlier set in conflict lived, that whoever should have been was told (in one event loop: before
 * anything else happened), that tokens grow, and what was recovered and ignored. Clients of a host
 * elsewhere do not know the order; what they held, from when they heard of it until they let go,
 * may still not overlap.
 */

import { shown } from '../runtime/escape.ts';
import { Exclusion } from './exclusion.ts';
import { readTrace, type TracedEvent } from './read-trace.ts';
import { Replay } from './replay.ts';

export interface CheckedDomain {
  /** As the trace calls it, with the process it was in. */
  readonly name: string;
  readonly backend: string;
  readonly requestCount: number;
  readonly grantCount: number;
  /** Requests that are older than the trace; what they explain cannot be told from a fault. */
  readonly olderCount: number;
  readonly faults: readonly string[];
}

export interface CheckedTrace {
  readonly domains: readonly CheckedDomain[];
  /** Of all domains, so many at most: the first ones tell most. */
  readonly faults: readonly string[];
}

/** What a replay, or a check of exclusion, is to do. */
export interface Checker {
  readonly olderCount: number;
  add(event: TracedEvent): void;
  end(): void;
}

const faultCountMax = 100;

/**
 * Checks the text of a trace. Takes time in proportion to its events, times the square of how many
 * sets lived at once: 2,000 at most.
 *
 * @throws ProtocolError for what is no trace; LimitError if too many sets live at once.
 * @example
 * import { checkTrace } from 'kds/inspect/trace';
 *
 * console.log(checkTrace('[\n').faults); // []
 */
export function checkTrace(text: string): CheckedTrace {
  const byDomain = new Map<string, TracedEvent[]>();
  for (const event of readTrace(text)) {
    const key = keyOf(event);
    const known = byDomain.get(key);
    if (known === undefined) byDomain.set(key, [event]);
    else known.push(event);
  }
  const domains = [...byDomain].map(([name, events]) => checkDomain(name, events));
  return { domains, faults: domains.flatMap(({ faults }) => faults).slice(0, faultCountMax) };
}

/** A domain of one event loop is known in its thread only; any other, by its name. */
function keyOf({ domain, pid, threadId }: TracedEvent): string {
  const where = domain.backend === 'process' ? ` of thread ${threadId / 1_000_000} of ${pid}` : '';
  return `${domain.backend}: ${shown(domain.name, 200)}${where}`;
}

function checkDomain(name: string, events: readonly TracedEvent[]): CheckedDomain {
  const faults: string[] = [];
  const backend = events[0]?.domain.backend ?? '';
  const isOrdered = backend === 'process' || backend === 'threads';
  const report = (event: TracedEvent | undefined, what: string): void => {
    if (faults.length >= faultCountMax) return;
    const when = event === undefined ? 'at the end' : `${event.name} at ${event.timeUs} µs`;
    faults.push(`${name}: ${when}: ${what}`);
  };
  const checker: Checker = isOrdered
    ? new Replay(backend === 'process', olderIds(events), report)
    : new Exclusion(report);
  for (const event of events) checker.add(event);
  checker.end();
  const count = (wanted: string): number => events.filter((event) => event.name === wanted).length;
  return {
    name,
    backend,
    requestCount: count('kds.request.start'),
    grantCount: count('kds.request.grant'),
    olderCount: checker.olderCount,
    faults,
  };
}

/** Ids of which something is told, but not their request's start. */
function olderIds(events: readonly TracedEvent[]): ReadonlySet<number> {
  const starts = events.filter(({ name }) => name === 'kds.request.start');
  const started = new Set(starts.map(({ id }) => id));
  return new Set(events.map(({ id }) => id).filter((id) => !started.has(id)));
}
