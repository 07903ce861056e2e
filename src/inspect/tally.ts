/** Turns events into counts and durations, for metrics. */

import { type DomainEvents, type EventDomain, type EventName, watchEvents } from '../api/events.ts';
import { type SetMode, setModeOf } from '../api/mode.ts';
import { type PoolCount, PoolTally } from './pool-tally.ts';

export type AnyEvent = DomainEvents[EventName];

/** Buckets of durations: from an uncontended acquire to a wait that a user notices. */
export const bucketsSeconds = [0.0001, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300];

/** Descriptions of the metrics. */
export const descriptions = {
  held: 'Held sets',
  pending: 'Waiting requests',
  timeouts: 'Requests that timed out',
  waitTime: 'From a request to its grant, or to its end without one',
  useTime: 'From a grant to its end',
  lost: 'Grants that were lost: stolen, or ended with their session',
  capacity: 'Units of a resource with a capacity',
  taken: 'Units of it that grants hold',
  waiting: 'Sets that wait for it',
} as const;

/** Each call has the event that caused it. */
export interface TallySink {
  /** The number of held sets changes. */
  held(event: AnyEvent, mode: SetMode, change: 1 | -1): void;
  /** The number of waiting requests changes. */
  pending(event: AnyEvent, mode: SetMode, change: 1 | -1): void;
  /** A request has ended by any outcome, also one granted at once. */
  waited(event: DomainEvents['kds.request.end']): void;
  /** A grant has ended. */
  used(event: DomainEvents['kds.grant.release'] | DomainEvents['kds.grant.lost']): void;
  lost(event: DomainEvents['kds.grant.lost']): void;
  /** A count of a resource with a capacity changes. */
  pool(event: AnyEvent, resource: string, count: PoolCount, change: number): void;
}

interface Known {
  readonly mode: SetMode;
  state: 'started' | 'pending' | 'held';
}

/**
 * Feeds a sink with all events from now on, until the function that it returns is called; that call
 * takes requests that still wait or hold back from the counts. An older request is not counted;
 * only its durations are reported.
 */
export function tally(sink: TallySink): () => void {
  const pools = new PoolTally((...change) => sink.pool(...change));
  const domains = new Map<EventDomain, Map<number, Known & { event: AnyEvent }>>();
  const knownOf = (event: AnyEvent): (Known & { event: AnyEvent }) | undefined =>
    domains.get(event.domain)?.get(event.id);
  const begin = (event: AnyEvent): void => {
    let known = domains.get(event.domain);
    if (known === undefined) {
      known = new Map();
      domains.set(event.domain, known);
    }
    known.set(event.id, { mode: setModeOf(event.set), state: 'started', event });
  };
  const become = (event: AnyEvent, state: Known['state'] | 'over'): void => {
    const known = knownOf(event);
    if (known === undefined) return;
    if (known.state === 'pending') sink.pending(event, known.mode, -1);
    if (known.state === 'held') sink.held(event, known.mode, -1);
    if (state === 'pending') {
      sink.pending(event, known.mode, 1);
      pools.waits(event);
    }
    if (state === 'held') {
      sink.held(event, known.mode, 1);
      pools.holds(event);
    }
    if (state === 'over') {
      pools.ends(event);
      forget(event);
    } else known.state = state;
  };
  const forget = ({ domain, id }: AnyEvent): void => {
    const known = domains.get(domain);
    known?.delete(id);
    if (known?.size === 0) domains.delete(domain);
  };
  const stop = watchEvents((name, event) => {
    switch (name) {
      case 'kds.request.start':
        begin(event);
        break;
      case 'kds.request.miss':
        become(event, 'pending');
        break;
      case 'kds.request.grant':
        become(event, 'held');
        break;
      case 'kds.request.end': {
        const ended = event as DomainEvents['kds.request.end'];
        if (ended.outcome !== 'granted') become(ended, 'over');
        sink.waited(ended);
        break;
      }
      case 'kds.grant.weaken':
      case 'kds.grant.upgrade':
        if (knownOf(event)?.state === 'held') pools.holds(event);
        break;
      case 'kds.resource.capacity':
        pools.resized(event as DomainEvents['kds.resource.capacity']);
        break;
      case 'kds.grant.release':
      case 'kds.grant.lost': {
        const ended = event as DomainEvents['kds.grant.release'];
        become(ended, 'over');
        sink.used(ended);
        if (name === 'kds.grant.lost') sink.lost(event as DomainEvents['kds.grant.lost']);
        break;
      }
      default:
    }
  });
  return () => {
    stop();
    for (const known of domains.values()) {
      for (const { event } of [...known.values()]) become(event, 'over');
    }
    pools.stop();
  };
}
