/**
 * Checks whether a traced run obeyed the rule: its operations are replayed, in their order, into
 * the naive rule of the oracle, and each grant is compared with the oracle's.
 *
 * In a local domain the order of operations is known, so all is checked: no set is granted while an
 * earlier set in conflict lives or its units do not fit, each grant is reported and each set that a
 * reduced capacity excludes refused (in one event loop: before the next operation), tokens grow,
 * and `recovered`, `ignored` and units are right. A client of a remote domain does not know the
 * order; what two clients held, from the report of the grant to the call of release, must still not
 * overlap, and no unit may be in two of these grants.
 */

import { printable } from '../runtime/escape.ts';
import type { Checker, ReportFault } from './checker.ts';
import { Exclusion } from './exclusion.ts';
import { readTrace, type TracedEvent } from './read-trace.ts';
import { Replay } from './replay.ts';

/**
 * The check of one traced domain.
 *
 * @since 0.1.0
 */
export interface CheckedDomain {
  /** Its backend and its name in the trace; of a process domain, with its thread and process. */
  readonly name: string;
  /** `process`, `threads`, `broker`, `redis` or `etcd`. */
  readonly backend: string;
  /** Requests that began in the trace. */
  readonly requestCount: number;
  /** Grants in the trace. */
  readonly grantCount: number;
  /** Requests that began before the trace: their effects may be reported as faults. */
  readonly olderCount: number;
  /**
   * Resources whose capacity was declared before the trace: it is not known, so that the sums of
   * their units are not checked.
   *
   * @since 0.2.0
   */
  readonly olderCapacityCount: number;
  /** Its faults, in words, 100 at most. */
  readonly faults: readonly string[];
}

/**
 * The result of {@link checkTrace}.
 *
 * @since 0.1.0
 */
export interface CheckedTrace {
  /** The domains of the trace. */
  readonly domains: readonly CheckedDomain[];
  /** The first faults of all domains, 100 at most. */
  readonly faults: readonly string[];
}

const faultCountMax = 100;

/**
 * Checks the text of a trace against the rule. Takes time in proportion to its events, times the
 * square of the number of sets that live at the same time: 2,000 at most.
 *
 * @param text - The text of the file, complete or not.
 * @throws {@link ProtocolError} if the trace is invalid, or of another version.
 * @throws {@link LimitError} if too many sets live at the same time.
 * @waits Never.
 * @example
 * ```ts
 * import { checkTrace } from 'kds/inspect/trace';
 *
 * console.log(checkTrace('[\n').faults); // []
 * ```
 * @since 0.1.0
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

/** A process domain is known in its thread only; any other, by its name. */
function keyOf({ domain, pid, threadId }: TracedEvent): string {
  const where = domain.backend === 'process' ? ` of thread ${threadId / 1_000_000} of ${pid}` : '';
  return `${domain.backend}: ${printable(domain.name, 200)}${where}`;
}

function checkDomain(name: string, events: readonly TracedEvent[]): CheckedDomain {
  const faults: string[] = [];
  const backend = events[0]?.domain.backend ?? '';
  const isOrdered = backend === 'process' || backend === 'threads';
  const report: ReportFault = (event, fault) => {
    if (faults.length >= faultCountMax) return;
    const when = event === undefined ? 'at the end' : `${event.name} at ${event.timeUs} µs`;
    faults.push(`${name}: ${when}: ${fault}`);
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
    olderCapacityCount: checker.olderCapacityCount,
    faults,
  };
}

/** Ids of requests whose start is not in the trace. */
function olderIds(events: readonly TracedEvent[]): ReadonlySet<number> {
  const starts = events.filter(({ name }) => name === 'kds.request.start');
  const started = new Set(starts.map(({ id }) => id));
  const ofRequests = events.filter(({ name }) => name !== 'kds.resource.capacity');
  return new Set(ofRequests.map(({ id }) => id).filter((id) => !started.has(id)));
}
