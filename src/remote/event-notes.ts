/**
 * Tells those who watch of a client's own requests and grants, as the client sees them: a request
 * starts when it is asked for, and is granted when this side hears of it. Only whoever keeps the
 * state knows in what order all clients came.
 *
 * Events are told by the link's delivery, and at the latest from a microtask: a listener runs
 * inside nobody's call.
 */

import {
  type DomainEvents,
  type EventName,
  type GrantLostEvent,
  outcomeOf,
  publish,
  type RequestOutcome,
} from '../api/events.ts';
import type { NamedSet } from '../api/sets.ts';
import { monotonicUs } from '../runtime/clock.ts';
import { queueRealMicrotask } from '../runtime/real-time.ts';
import type { RemoteGrant } from './grant.ts';
import type { RemoteRequest } from './request.ts';
import type { RemoteRef, RemoteSet } from './resources.ts';
import type { RemoteSession } from './session.ts';

/** When a request was made, and a grant was given; of those that were watched from there on. */
const sinceUs = new WeakMap<RemoteRequest | RemoteGrant, number>();

/** Those told to wait: a host may hear so more than once, as a session may end and begin anew. */
const missed = new WeakSet<RemoteRequest>();

export function noteStart(request: RemoteRequest): void {
  if (request.terms.how === 'settled') return;
  const timeUs = monotonicUs();
  sinceUs.set(request, timeUs);
  tell('kds.request.start', aboutRequest(request, timeUs), request.scope, {
    isSync: false,
    ignoresLocked: request.terms.locked === 'ignore',
    steals: request.terms.steal === true,
  });
}

export function noteMiss(request: RemoteRequest): void {
  if (request.terms.how === 'settled' || missed.has(request)) return;
  missed.add(request);
  tell('kds.request.miss', aboutRequest(request, monotonicUs()), request.scope, {});
}

export function noteGrant(request: RemoteRequest, grant: RemoteGrant): void {
  const timeUs = monotonicUs();
  sinceUs.set(grant, timeUs);
  const about = aboutRequest(request, timeUs);
  const { token, recovered, ignored } = grant;
  const waitMs = msSince(request, timeUs);
  const { scope } = request;
  tell('kds.request.grant', about, scope, { token, waitMs, recovered, ignored });
  if (recovered.length > 0) tell('kds.grant.recovered', about, scope, { token, recovered });
  tell('kds.request.end', about, scope, { outcome: 'granted', waitMs });
}

export function noteEnd(request: RemoteRequest, outcome: RequestOutcome): void {
  if (request.terms.how === 'settled') return;
  const timeUs = monotonicUs();
  const waitMs = msSince(request, timeUs);
  tell('kds.request.end', aboutRequest(request, timeUs), request.scope, { outcome, waitMs });
}

export function noteRefusal(request: RemoteRequest, reason: unknown): void {
  noteEnd(request, outcomeOf(reason));
}

export function noteRelease(grant: RemoteGrant, isAbandoned: boolean): void {
  const timeUs = monotonicUs();
  const { token, scope } = grant;
  const heldMs = msSince(grant, timeUs);
  tell('kds.grant.release', aboutGrant(grant, timeUs), scope, { token, heldMs, isAbandoned });
}

export function noteWeakening(grant: RemoteGrant): void {
  const { token, scope } = grant;
  tell('kds.grant.weaken', aboutGrant(grant, monotonicUs()), scope, { token });
}

export function noteLoss(grant: RemoteGrant, cause: GrantLostEvent['cause']): void {
  const timeUs = monotonicUs();
  const { token, scope } = grant;
  const heldMs = msSince(grant, timeUs);
  tell('kds.grant.lost', aboutGrant(grant, timeUs), scope, { token, heldMs, cause });
}

interface About {
  readonly id: number;
  readonly set: NamedSet;
  readonly label: string | undefined;
  readonly timeUs: number;
}

function aboutRequest({ id, terms }: RemoteRequest, timeUs: number): About {
  return { id, set: named(terms.set), label: terms.label, timeUs };
}

function aboutGrant({ id, set, label }: RemoteGrant, timeUs: number): About {
  return { id, set: named(set), label, timeUs };
}

/** As everywhere: a resource named twice counts once, and exclusive wins. */
function named({ exclusive = [], shared = [] }: RemoteSet): NamedSet {
  const name = (ref: RemoteRef): string => (typeof ref === 'string' ? ref : `#${ref}`);
  const owned = new Set(exclusive);
  return {
    exclusive: [...owned].map(name),
    shared: [...new Set(shared)].filter((ref) => !owned.has(ref)).map(name),
  };
}

function msSince(about: RemoteRequest | RemoteGrant, timeUs: number): number {
  return (timeUs - (sinceUs.get(about) ?? timeUs)) / 1000;
}

function tell<Name extends EventName>(
  name: Name,
  about: About,
  { link, label: session }: RemoteSession,
  details: Omit<DomainEvents[Name], keyof About | 'domain' | 'session'>,
): void {
  const event = { domain: link.eventDomain, session, ...about, ...details };
  link.delivery.direct({
    deliver: () => publish(name, event as unknown as DomainEvents[Name]),
  });
  queueRealMicrotask(() => link.delivery.runDirect());
}
