/**
 * Events of domains: one channel for each kind.
 *
 * In Node these are channels of `node:diagnostics_channel`, so that tools find them by name;
 * elsewhere channels of our own with the same calls. An event is published after the operation that
 * it belongs to, never within it, so a listener may use the domain.
 *
 * Without subscribers events cost nothing: each step asks one flag, which `subscribe` and
 * `unsubscribe` of these channels set. To ask `hasSubscribers` of nine channels at each step would
 * cost a tenth of an acquire and release (decision 11).
 */

import { throwUncaught } from '../runtime/uncaught.ts';
import { isKdsError } from './errors.ts';
import type { NamedSet } from './sets.ts';
import type { Unit } from './units.ts';

/**
 * The domain of an event.
 *
 * @since 0.1.0
 */
export interface EventDomain {
  /**
   * `process`, `threads`: the backend publishes the events, in the order of the operations.
   * `broker`, `redis`, `etcd`: a client publishes its own, and receives a grant later than it was
   * given.
   */
  readonly backend: string;
  /** The name of the domain, arena or socket: unique for its backend within the thread. */
  readonly name: string;
  /** The label that the domain was opened with. */
  readonly label: string | undefined;
  /**
   * Present for the inner domain of a grant, in which its nested runs share what it holds.
   *
   * @since 0.2.0
   */
  readonly isInner?: true;
}

interface EventBase {
  /** The domain that the set belongs to. */
  readonly domain: EventDomain;
  /** The id of the request and of its grant, as in snapshots. */
  readonly id: number;
  /** The resources that the set requests or holds. */
  readonly set: NamedSet;
  /** The label of the request. */
  readonly label: string | undefined;
  /** The label of the session, or of the domain, that the request was made through. */
  readonly session: string | undefined;
  /**
   * Time of the event, µs, on the monotonic clock of the machine, which its threads and processes
   * share (in browsers: since the page was loaded).
   */
  readonly timeUs: number;
}

/**
 * A request has entered its queues. One that is refused before that has no events.
 *
 * @since 0.1.0
 */
export interface RequestStartEvent extends EventBase {
  /** Whether its caller is a synchronous one, which counts for `locked` of others. */
  readonly isSync: boolean;
  /** Whether it has `locked: 'ignore'`. */
  readonly ignoresLocked: boolean;
  /** Whether it has `steal: true`. */
  readonly steals: boolean;
}

/**
 * A request was not granted at once.
 *
 * @since 0.1.0
 */
export type RequestMissEvent = EventBase;

interface WithUnits extends EventBase {
  /**
   * The units of the grant from now on, by resource, as in {@link Grant.units}; absent without any.
   * Left out of a resource of which it has more than 1,024.
   *
   * @since 0.2.0
   */
  readonly units?: Readonly<Record<string, readonly Unit[]>>;
}

/**
 * A request was granted.
 *
 * @since 0.1.0
 */
export interface RequestGrantEvent extends WithUnits {
  /** The fencing token of the grant. */
  readonly token: number;
  /** Time from the request to the grant, ms. */
  readonly waitMs: number;
  /** Resources that may be half written: `grant.recovered`. */
  readonly recovered: readonly string[];
  /** Resources that the request did not wait for: `grant.ignored`. */
  readonly ignored: readonly string[];
}

/**
 * How a request has ended.
 *
 * @since 0.1.0
 */
export type RequestOutcome =
  /** Its set is held. */
  | 'granted'
  /** It was not granted, or settled, within `timeoutMs`. */
  | 'timed-out'
  /** The caller called `cancel()`, or its signal aborted. */
  | 'cancelled'
  /** A try that could not be granted at once. */
  | 'denied'
  /** It would have closed a cycle, or is beyond a limit. */
  | 'refused'
  /** The domain or session was closed. */
  | 'closed'
  /** Its caller has died, or a steal revoked the grant before the caller was notified. */
  | 'lost';

/**
 * A request has ended: published once for each that has started.
 *
 * @since 0.1.0
 */
export interface RequestEndEvent extends EventBase {
  /** How it has ended. */
  readonly outcome: RequestOutcome;
  /** Time from the request to its end, ms. */
  readonly waitMs: number;
}

/**
 * A grant was released or abandoned.
 *
 * @since 0.1.0
 */
export interface GrantReleaseEvent extends EventBase {
  /** The fencing token of the grant. */
  readonly token: number;
  /** Time from the grant to its end, ms. */
  readonly heldMs: number;
  /** Whether it was abandoned, or its holder has died: the resources may be half written. */
  readonly isAbandoned: boolean;
}

/**
 * A grant was downgraded or released in part: `set` has the rest.
 *
 * @since 0.1.0
 */
export interface GrantWeakenEvent extends WithUnits {
  /** The fencing token of the grant. */
  readonly token: number;
}

/**
 * Resources of a grant have become exclusive: `set` has them.
 *
 * @since 0.2.0
 */
export interface GrantUpgradeEvent extends WithUnits {
  /** The fencing token of the grant. */
  readonly token: number;
}

/**
 * A capacity was declared or changed. `id` is 0, and `set` names the resource with all its units.
 * Published where the state is: by the process and threads backends, not by clients of a server.
 *
 * @since 0.2.0
 */
export interface CapacityEvent extends EventBase {
  /** The name of the resource. */
  readonly resource: string;
  /** Its number of units from now on. */
  readonly capacity: number;
  /** The names of the units; absent if the capacity is a plain number. */
  readonly names?: readonly string[];
  /** Whether a set has asserted it: it is forgotten when the resource is not in use any more. */
  readonly isAsserted: boolean;
}

/**
 * A grant was lost before its holder released it.
 *
 * @since 0.1.0
 */
export interface GrantLostEvent extends EventBase {
  /** The fencing token of the grant. */
  readonly token: number;
  /** Time from the grant to its loss, ms. */
  readonly heldMs: number;
  /**
   * `stolen`: a steal revoked it. `closed`: its session or domain was closed. `died`: its session
   * has expired, or may have, as its lease could not be renewed.
   */
  readonly cause: 'stolen' | 'closed' | 'died';
}

/**
 * A grant has resources whose last exclusive holder was revoked, abandoned them or has died.
 *
 * @since 0.1.0
 */
export interface GrantRecoveredEvent extends EventBase {
  /** The fencing token of the grant. */
  readonly token: number;
  /** The resources, which may be half written. */
  readonly recovered: readonly string[];
}

/**
 * A grant has been held for longer than the domain's `holdWarningMs`; published once.
 *
 * @since 0.1.0
 */
export interface GrantHeldLongEvent extends EventBase {
  /** The fencing token of the grant. */
  readonly token: number;
  /** Time since the grant, ms. */
  readonly heldMs: number;
  /** Number of requests of the domain that wait. */
  readonly pendingCount: number;
}

/**
 * The events by their names, which are those of the channels in `node:diagnostics_channel`.
 *
 * @since 0.1.0
 */
export interface DomainEvents {
  /** A request has entered its queues. */
  readonly 'kds.request.start': RequestStartEvent;
  /** A request was not granted at once. */
  readonly 'kds.request.miss': RequestMissEvent;
  /** A request was granted. */
  readonly 'kds.request.grant': RequestGrantEvent;
  /** A request has ended, granted or not. */
  readonly 'kds.request.end': RequestEndEvent;
  /** A grant was released or abandoned. */
  readonly 'kds.grant.release': GrantReleaseEvent;
  /** A grant was downgraded or released in part. */
  readonly 'kds.grant.weaken': GrantWeakenEvent;
  /** Resources of a grant have become exclusive. */
  readonly 'kds.grant.upgrade': GrantUpgradeEvent;
  /** A capacity was declared or changed. */
  readonly 'kds.resource.capacity': CapacityEvent;
  /** A grant was lost before its holder released it. */
  readonly 'kds.grant.lost': GrantLostEvent;
  /** A grant has resources that may be half written. */
  readonly 'kds.grant.recovered': GrantRecoveredEvent;
  /** A grant has been held for longer than `holdWarningMs`. */
  readonly 'kds.grant.held-long': GrantHeldLongEvent;
}

/**
 * The name of an event and of its channel.
 *
 * @since 0.1.0
 */
export type EventName = keyof DomainEvents;

/**
 * The names of all events.
 *
 * @since 0.1.0
 */
export const eventNames = [
  'kds.request.start',
  'kds.request.miss',
  'kds.request.grant',
  'kds.request.end',
  'kds.grant.release',
  'kds.grant.weaken',
  'kds.grant.upgrade',
  'kds.resource.capacity',
  'kds.grant.lost',
  'kds.grant.recovered',
  'kds.grant.held-long',
] as const satisfies readonly EventName[];

type Listener = (message: unknown, name: string | symbol) => void;

/** The part of a channel of node:diagnostics_channel that is used here. */
interface Channel {
  readonly hasSubscribers: boolean;
  publish(message: unknown): void;
  subscribe(listener: Listener): void;
  unsubscribe(listener: Listener): boolean;
}

/** For backends: whether any channel has a subscriber. An object, as importers share its field. */
export const eventFlags: { hasSubscribers: boolean } = { hasSubscribers: false };

/** For backends: publishes an event to the subscribers of its channel. */
export function publish<Name extends EventName>(name: Name, message: DomainEvents[Name]): void {
  channels.get(name)?.publish(message);
}

/** For backends: the outcome of a request that was refused for this reason. */
export function outcomeOf(reason: unknown): RequestOutcome {
  if (isKdsError(reason, 'KDS_WAIT_TIMEOUT')) return 'timed-out';
  if (isKdsError(reason, 'KDS_DOMAIN_CLOSED')) return 'closed';
  return isKdsError(reason) ? 'refused' : 'cancelled';
}

/**
 * Calls a listener with every event of all domains of this thread. An event is published after the
 * operation that it belongs to, so a listener may use the domain. In Node,
 * `node:diagnostics_channel` has the single channels.
 *
 * @param listener - Receives the name and the event. An error of it is reported as uncaught.
 * @returns A function that ends the calls.
 * @throws TypeError if the listener is no function.
 * @waits Never.
 * @example
 * ```ts
 * import { createDomain, watchEvents } from 'kds';
 *
 * const stop = watchEvents((name, { set }) => console.log(name, set.exclusive));
 * await createDomain().run({ exclusive: 'a' }, () => {});
 * stop(); // kds.request.start, .grant, .end, and kds.grant.release were printed, each with [ 'a' ]
 * ```
 * @since 0.1.0
 */
export function watchEvents(
  listener: <Name extends EventName>(name: Name, event: DomainEvents[Name]) => void,
): () => void {
  if (typeof listener !== 'function') throw new TypeError('watchEvents needs a function');
  const receive: Listener = (message, name) => {
    listener(name as EventName, message as DomainEvents[EventName]);
  };
  for (const channel of channels.values()) channel.subscribe(receive);
  return () => {
    for (const channel of channels.values()) channel.unsubscribe(receive);
  };
}

/** A channel for runtimes without node:diagnostics_channel. */
class OwnChannel implements Channel {
  readonly #name: EventName;
  #listeners: readonly Listener[] = [];

  constructor(name: EventName) {
    this.#name = name;
  }

  get hasSubscribers(): boolean {
    return this.#listeners.length > 0;
  }

  publish(message: unknown): void {
    for (const listener of this.#listeners) {
      try {
        listener(message, this.#name);
      } catch (error) {
        throwUncaught(error);
      }
    }
  }

  subscribe(listener: Listener): void {
    this.#listeners = [...this.#listeners, listener];
  }

  unsubscribe(listener: Listener): boolean {
    const at = this.#listeners.indexOf(listener);
    if (at >= 0) this.#listeners = this.#listeners.toSpliced(at, 1);
    return at >= 0;
  }
}

function openChannels(): ReadonlyMap<EventName, Channel> {
  const load = globalThis.process?.getBuiltinModule as ((id: string) => unknown) | undefined;
  const platform = load?.('diagnostics_channel') as { channel(name: string): Channel } | undefined;
  const opened = new Map<EventName, Channel>();
  const update = (): void => {
    eventFlags.hasSubscribers = [...opened.values()].some(({ hasSubscribers }) => hasSubscribers);
  };
  for (const name of eventNames) {
    const channel = platform?.channel(name) ?? new OwnChannel(name);
    noticeSubscribers(channel, update);
    opened.set(name, channel);
  }
  // Subscribers may have come before this module was loaded.
  update();
  return opened;
}

/**
 * Updates the flag at each `subscribe` and `unsubscribe`. A channel of Node's changes its prototype
 * with its first and its last subscriber, so the call is read from the prototype each time. Another
 * copy of this package may have put its own calls in front.
 */
function noticeSubscribers(channel: Channel, update: () => void): void {
  for (const call of ['subscribe', 'unsubscribe'] as const) {
    const before = Object.hasOwn(channel, call) ? channel[call] : undefined;
    Object.defineProperty(channel, call, {
      configurable: true,
      value: (listener: Listener): unknown => {
        const next = before ?? (Object.getPrototypeOf(channel) as Channel)[call];
        const result = next.call(channel, listener);
        update();
        return result;
      },
    });
  }
}

// Last, as it uses what is above.
const channels = openChannels();
