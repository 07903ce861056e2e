/**
 * Events of a client's own requests and grants, as the client sees them: a request starts when it
 * is made, and is granted when the grant arrives here. Only the backend knows the order of all
 * clients.
 *
 * The backend's delivery publishes the events, a microtask at the latest: no listener runs inside a
 * call of another caller.
 */

import {
  type DomainEvents,
  type EventName,
  type GrantLostEvent,
  outcomeOf,
  publish,
  type RequestOutcome,
} from '../api/events.ts';
import { listsOf } from '../api/mode.ts';
import type { LockedPolicy } from '../api/options.ts';
import type { NamedSet } from '../api/sets.ts';
import { monotonicUs } from '../runtime/clock.ts';
import { queueRealMicrotask } from '../runtime/real-time.ts';
import { nameOf, type RemoteSet } from './resources.ts';
import type { RemoteScope } from './scope.ts';

/** A request, as its events describe it. */
interface DescribedRequest {
  readonly id: number;
  readonly scope: RemoteScope;
  readonly terms: {
    readonly how: 'acquire' | 'try' | 'settled';
    readonly set: RemoteSet;
    readonly label: string | undefined;
    readonly locked: LockedPolicy | undefined;
    readonly steal: boolean | undefined;
  };
}

/** A grant, as its events describe it. */
interface DescribedGrant {
  readonly id: number;
  readonly scope: RemoteScope;
  readonly set: RemoteSet;
  readonly label: string | undefined;
  readonly token: number;
  readonly recovered: readonly string[];
  readonly ignored: readonly string[];
}

/** When a request was made, or a grant given, µs; only while events have subscribers. */
const sinceUs = new WeakMap<DescribedRequest | DescribedGrant, number>();

/** Requests whose miss was published: a backend may report it again after a reconnect. */
const missed = new WeakSet<DescribedRequest>();

export function emitStart(request: DescribedRequest): void {
  if (request.terms.how === 'settled') return;
  const timeUs = monotonicUs();
  sinceUs.set(request, timeUs);
  emit('kds.request.start', aboutRequest(request, timeUs), request.scope, {
    isSync: false,
    ignoresLocked: request.terms.locked === 'ignore',
    steals: request.terms.steal === true,
  });
}

export function emitMiss(request: DescribedRequest): void {
  if (request.terms.how === 'settled' || missed.has(request)) return;
  missed.add(request);
  emit('kds.request.miss', aboutRequest(request, monotonicUs()), request.scope, {});
}

export function emitGrant(request: DescribedRequest, grant: DescribedGrant): void {
  const timeUs = monotonicUs();
  sinceUs.set(grant, timeUs);
  const about = aboutRequest(request, timeUs);
  const { token, recovered, ignored } = grant;
  const waitMs = msSince(request, timeUs);
  const { scope } = request;
  emit('kds.request.grant', about, scope, { token, waitMs, recovered, ignored });
  if (recovered.length > 0) emit('kds.grant.recovered', about, scope, { token, recovered });
  emit('kds.request.end', about, scope, { outcome: 'granted', waitMs });
}

export function emitEnd(request: DescribedRequest, outcome: RequestOutcome): void {
  if (request.terms.how === 'settled') return;
  const timeUs = monotonicUs();
  const waitMs = msSince(request, timeUs);
  emit('kds.request.end', aboutRequest(request, timeUs), request.scope, { outcome, waitMs });
}

export function emitRefusal(request: DescribedRequest, reason: unknown): void {
  emitEnd(request, outcomeOf(reason));
}

export function emitRelease(grant: DescribedGrant, isAbandoned: boolean): void {
  const timeUs = monotonicUs();
  const { token, scope } = grant;
  const heldMs = msSince(grant, timeUs);
  emit('kds.grant.release', aboutGrant(grant, timeUs), scope, { token, heldMs, isAbandoned });
}

export function emitWeakening(grant: DescribedGrant): void {
  const { token, scope } = grant;
  emit('kds.grant.weaken', aboutGrant(grant, monotonicUs()), scope, { token });
}

export function emitLoss(grant: DescribedGrant, cause: GrantLostEvent['cause']): void {
  const timeUs = monotonicUs();
  const { token, scope } = grant;
  const heldMs = msSince(grant, timeUs);
  emit('kds.grant.lost', aboutGrant(grant, timeUs), scope, { token, heldMs, cause });
}

interface About {
  readonly id: number;
  readonly set: NamedSet;
  readonly label: string | undefined;
  readonly timeUs: number;
}

function aboutRequest({ id, terms }: DescribedRequest, timeUs: number): About {
  return { id, set: named(terms.set), label: terms.label, timeUs };
}

function aboutGrant({ id, set, label }: DescribedGrant, timeUs: number): About {
  return { id, set: named(set), label, timeUs };
}

function named(set: RemoteSet): NamedSet {
  return listsOf(set.map((part) => ({ ...part, resource: nameOf(part.resource) })));
}

function msSince(about: DescribedRequest | DescribedGrant, timeUs: number): number {
  return (timeUs - (sinceUs.get(about) ?? timeUs)) / 1000;
}

function emit<Name extends EventName>(
  name: Name,
  about: About,
  { backend, label: session }: RemoteScope,
  details: Omit<DomainEvents[Name], keyof About | 'domain' | 'session'>,
): void {
  const event = { domain: backend.eventDomain, session, ...about, ...details };
  backend.delivery.direct({
    deliver: () => publish(name, event as unknown as DomainEvents[Name]),
  });
  queueRealMicrotask(() => backend.delivery.runDirect());
}
