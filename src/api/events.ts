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

/** The domain of an event. */
export interface EventDomain {
  /**
   * `process`, `threads`: the backend itself publishes the events, in the order of the operations.
   * Any other: a client publishes them, and receives a grant later than it was given.
   */
  readonly backend: string;
  /** Unique within the thread; of an arena, in all threads that have it open. */
  readonly name: string;
  readonly label: string | undefined;
}

interface EventBase {
  readonly domain: EventDomain;
  /** Of the request and of its grant, as in snapshots. */
  readonly id: number;
  readonly set: NamedSet;
  readonly label: string | undefined;
  readonly session: string | undefined;
  /**
   * Time in µs on the monotonic clock of the machine, which its threads and processes share (in
   * browsers: since the page was loaded).
   */
  readonly timeUs: number;
}

/** A request has entered its queues. One that is refused before that has no events. */
export interface RequestStartEvent extends EventBase {
  /** From a synchronous caller, so it counts for `locked` of others. */
  readonly isSync: boolean;
  readonly ignoresLocked: boolean;
  readonly steals: boolean;
}

/** A request was not granted at once. */
export type RequestMissEvent = EventBase;

export interface RequestGrantEvent extends EventBase {
  readonly token: number;
  readonly waitMs: number;
  readonly recovered: readonly string[];
  readonly ignored: readonly string[];
}

export type RequestOutcome =
  | 'granted'
  | 'timed-out'
  /** The caller called `cancel()`, or its signal aborted. */
  | 'cancelled'
  /** A try that could not be granted at once. */
  | 'denied'
  /** It would have closed a cycle, or is beyond a limit. */
  | 'refused'
  /** The domain or session was closed. */
  | 'closed'
  /** Its caller died, or a steal revoked the grant before the caller was notified. */
  | 'lost';

/** A request has ended: published once for each that has started. */
export interface RequestEndEvent extends EventBase {
  readonly outcome: RequestOutcome;
  readonly waitMs: number;
}

export interface GrantReleaseEvent extends EventBase {
  readonly token: number;
  readonly heldMs: number;
  /** The exclusive resources may be half written. */
  readonly isAbandoned: boolean;
}

/** A grant holds less than before: `set` is what it still holds. */
export interface GrantWeakenEvent extends EventBase {
  readonly token: number;
}

export interface GrantLostEvent extends EventBase {
  readonly token: number;
  readonly heldMs: number;
  /** `died`: its session has expired, or may have, as its lease could not be renewed. */
  readonly cause: 'stolen' | 'closed' | 'died';
}

/** A grant has taken over from exclusive holders that died or abandoned their grants. */
export interface GrantRecoveredEvent extends EventBase {
  readonly token: number;
  readonly recovered: readonly string[];
}

/** Held for longer than the domain's `holdWarningMs`; published once. */
export interface GrantHeldLongEvent extends EventBase {
  readonly token: number;
  readonly heldMs: number;
  readonly pendingCount: number;
}

export interface DomainEvents {
  readonly 'kds.request.start': RequestStartEvent;
  readonly 'kds.request.miss': RequestMissEvent;
  readonly 'kds.request.grant': RequestGrantEvent;
  readonly 'kds.request.end': RequestEndEvent;
  readonly 'kds.grant.release': GrantReleaseEvent;
  readonly 'kds.grant.weaken': GrantWeakenEvent;
  readonly 'kds.grant.lost': GrantLostEvent;
  readonly 'kds.grant.recovered': GrantRecoveredEvent;
  readonly 'kds.grant.held-long': GrantHeldLongEvent;
}

export type EventName = keyof DomainEvents;

/** Names of all channels. */
export const eventNames = [
  'kds.request.start',
  'kds.request.miss',
  'kds.request.grant',
  'kds.request.end',
  'kds.grant.release',
  'kds.grant.weaken',
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
 * Calls a listener with every event of all domains of this thread, until the function that it
 * returns is called. In Node `node:diagnostics_channel` has the single channels.
 *
 * @throws TypeError for a listener that is no function.
 * @example
 * import { createDomain, watchEvents } from 'kds';
 *
 * const stop = watchEvents((name, { set }) => console.log(name, set.exclusive));
 * await createDomain().run({ exclusive: 'a' }, () => {});
 * stop(); // kds.request.start, .grant, .end, and kds.grant.release were printed, each with [ 'a' ]
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
