/**
 * What happens in domains, for those who watch: one channel for each kind of event.
 *
 * In Node these are the channels of `node:diagnostics_channel`, so that whoever watches programs
 * finds them by name; elsewhere channels of our own with the same calls. An event is told after the
 * operation that it belongs to, never within it, so a listener may use the domain.
 *
 * Nobody pays while nobody listens: hosts look at one flag, which a channel sets as its first
 * subscriber comes. That is why `subscribe` and `unsubscribe` of these channels are our own here:
 * `hasSubscribers` of nine channels would have to be asked at every step instead.
 */

import { throwUncaught } from '../runtime/uncaught.ts';
import { isKdsError } from './errors.ts';
import type { NamedSet } from './sets.ts';

/** In which domain something happened. */
export interface EventDomain {
  /**
   * `process`, `threads`: told by who orders the operations, in their order. Anything else: as a
   * client sees it, who hears of a grant later than it was given.
   */
  readonly host: string;
  /** Within the thread; of an arena, wherever it is open. */
  readonly name: string;
  readonly label: string | undefined;
}

interface EventBase {
  readonly domain: EventDomain;
  /** Of the request, and of the grant that comes of it; as snapshots tell it. */
  readonly id: number;
  readonly set: NamedSet;
  readonly label: string | undefined;
  readonly session: string | undefined;
  /**
   * When, in µs on the clock of the machine that never goes back, the same for all its threads and
   * processes (in browsers: since the page was loaded).
   */
  readonly timeUs: number;
}

/** A request has arrived, and has its place. What is refused before that is not told of. */
export interface RequestStartEvent extends EventBase {
  /** It counts as locking what it wants: see `locked`. */
  readonly isSync: boolean;
  readonly ignoresLocked: boolean;
  readonly steals: boolean;
}

/** It has not been granted at once. */
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
  /** By its caller: `cancel()`, or the signal. */
  | 'cancelled'
  /** A try, and not to be had at once. */
  | 'denied'
  /** It would have closed a circle, or is beyond a limit. */
  | 'refused'
  /** The domain or session was closed. */
  | 'closed'
  /** Whoever asked has died, or a thief came between the grant and its being told. */
  | 'lost';

/** It waits no more: told once for each that has started. */
export interface RequestEndEvent extends EventBase {
  readonly outcome: RequestOutcome;
  readonly waitMs: number;
}

export interface GrantReleaseEvent extends EventBase {
  readonly token: number;
  readonly heldMs: number;
  /** What was written may be half done. */
  readonly isAbandoned: boolean;
}

/** A grant holds less than before: `set` is what it still holds. */
export interface GrantWeakenEvent extends EventBase {
  readonly token: number;
}

export interface GrantLostEvent extends EventBase {
  readonly token: number;
  readonly heldMs: number;
  /** `died`: its session was taken for dead, or has to be, as its lease may have run out. */
  readonly cause: 'stolen' | 'closed' | 'died';
}

/** A grant has taken over from exclusive holders that died or gave up. */
export interface GrantRecoveredEvent extends EventBase {
  readonly token: number;
  readonly recovered: readonly string[];
}

/** Held for longer than the domain's `holdWarningMs`; told once. */
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

/** As far as it is used here, and as node:diagnostics_channel has it. */
interface Channel {
  readonly hasSubscribers: boolean;
  publish(message: unknown): void;
  subscribe(listener: Listener): void;
  unsubscribe(listener: Listener): boolean;
}

/** For hosts: whether anybody listens to anything. An object, so that all see the same field. */
export const watched: { isWatched: boolean } = { isWatched: false };

const whenWatchedDo: ((isWatched: boolean) => void)[] = [];

/** For hosts: told as somebody begins to listen, and as nobody does any more; and at once. */
export function whenWatched(change: (isWatched: boolean) => void): void {
  whenWatchedDo.push(change);
  change(watched.isWatched);
}

/** For hosts: tells whoever listens to that channel. */
export function publish<Name extends EventName>(name: Name, message: DomainEvents[Name]): void {
  channels.get(name)?.publish(message);
}

/** For hosts: how a request has ended that was refused for this reason. */
export function outcomeOf(reason: unknown): RequestOutcome {
  if (isKdsError(reason, 'KDS_WAIT_TIMEOUT')) return 'timed-out';
  if (isKdsError(reason, 'KDS_DOMAIN_CLOSED')) return 'closed';
  return isKdsError(reason) ? 'refused' : 'cancelled';
}

/**
 * Tells of everything that happens from now on in all domains of this thread, until the function
 * that it returns is called. In Node single channels can be had by `node:diagnostics_channel`.
 *
 * @throws TypeError for a listener that is no function.
 * @example
 * import { createDomain, watchEvents } from 'kds';
 *
 * const stop = watchEvents((name, { set }) => console.log(name, set.exclusive));
 * await createDomain().run({ exclusive: 'a' }, () => {});
 * stop(); // kds.request.start, .grant, .end, and kds.grant.release were told, each with [ 'a' ]
 */
export function watchEvents(
  listener: <Name extends EventName>(name: Name, event: DomainEvents[Name]) => void,
): () => void {
  if (typeof listener !== 'function') throw new TypeError('watchEvents needs a function');
  const hear: Listener = (message, name) => {
    listener(name as EventName, message as DomainEvents[EventName]);
  };
  for (const channel of channels.values()) channel.subscribe(hear);
  return () => {
    for (const channel of channels.values()) channel.unsubscribe(hear);
  };
}

/** Where the runtime has no channels. */
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
  const look = (): void => {
    const isWatched = [...opened.values()].some(({ hasSubscribers }) => hasSubscribers);
    if (isWatched === watched.isWatched) return;
    watched.isWatched = isWatched;
    for (const change of whenWatchedDo) change(isWatched);
  };
  for (const name of eventNames) {
    const channel = platform?.channel(name) ?? new OwnChannel(name);
    noticeSubscribers(channel, look);
    opened.set(name, channel);
  }
  // Somebody may have subscribed before this was loaded.
  look();
  return opened;
}

/**
 * Looks again whenever somebody comes or goes. A channel of Node's changes its prototype as its
 * first subscriber comes and as the last one goes, so that is asked each time; another copy of this
 * package may have put its own calls before it.
 */
function noticeSubscribers(channel: Channel, look: () => void): void {
  for (const call of ['subscribe', 'unsubscribe'] as const) {
    const before = Object.hasOwn(channel, call) ? channel[call] : undefined;
    Object.defineProperty(channel, call, {
      configurable: true,
      value: (listener: Listener): unknown => {
        const next = before ?? (Object.getPrototypeOf(channel) as Channel)[call];
        const result = next.call(channel, listener);
        look();
        return result;
      },
    });
  }
}

// Last, as it uses what is above.
const channels = openChannels();
