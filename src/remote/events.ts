/**
 * Events of a client's own requests and grants, as the client sees them: a request starts when it
 * is made, and is granted when the grant arrives here. Only the backend knows the order of all
 * clients.
 *
 * The backend's delivery publishes the events, a microtask at the latest: no listener runs inside a
 * call of another caller.
 */

import { namedSetOf } from '../api/mode.ts';
import { unitsListedMax } from '../api/units.ts';
import type { Deliverable } from '../runtime/delivery.ts';
import { queueRealMicrotask } from '../runtime/real-time.ts';
import { SetEvents } from '../session/set-events.ts';
import { nameOf, type RemoteSet } from './resources.ts';
import type { RemoteScope, ScopeBackend } from './scope.ts';
import { type RemoteUnits, unitsByName } from './units.ts';

/** A request or a grant, as its events describe it. */
interface Described {
  readonly id: number;
  readonly scope: RemoteScope;
}

interface DescribedRequest extends Described {
  readonly terms: {
    readonly how: 'acquire' | 'try' | 'settled';
    readonly set: RemoteSet;
    readonly label: string | undefined;
  };
}

interface DescribedGrant extends Described {
  readonly set: RemoteSet;
  readonly label: string | undefined;
}

interface GrantedSet extends DescribedGrant {
  readonly token: number;
  readonly recovered: readonly string[];
  readonly ignored: readonly string[];
  readonly unitsHeld: RemoteUnits;
}

/** Of those that had an event; a grant goes on with the events of its request. */
const known = new WeakMap<Described, SetEvents>();

/** Undefined for an observer, which has no events. */
export function requestEvents(request: DescribedRequest): SetEvents | undefined {
  const { how, set, label } = request.terms;
  return how === 'settled' ? undefined : eventsOf(request, set, label);
}

export function grantEvents(grant: DescribedGrant, request?: DescribedRequest): SetEvents {
  const events = request && requestEvents(request);
  if (events !== undefined) known.set(grant, events);
  return eventsOf(grant, grant.set, grant.label);
}

export function emitGranted(grant: GrantedSet, request: DescribedRequest): void {
  const { token, recovered, ignored } = grant;
  const units = unitsOfEvent(grant);
  const details = { token, recovered, ignored, ...(units !== undefined && { units }) };
  grantEvents(grant, request).granted(details);
}

function eventsOf(object: Described, set: RemoteSet, label: string | undefined): SetEvents {
  const { backend, label: session } = object.scope;
  const named = namedSetOf(set.map((part) => ({ ...part, resource: nameOf(part.resource) })));
  const subject = { domain: backend.eventDomain, id: object.id, label, session };
  const events = known.get(object) ?? new SetEvents(subject, named, deliveryOf(backend));
  known.set(object, events);
  // A part may have been released while events had no subscriber.
  events.set = named;
  return events;
}

/** The units of a grant, as its events list them. */
export function unitsOfEvent({ unitsHeld }: Pick<GrantedSet, 'unitsHeld'>) {
  const units = unitsByName(unitsHeld, unitsListedMax);
  return Object.keys(units).length === 0 ? undefined : units;
}

function deliveryOf({ delivery }: ScopeBackend) {
  return {
    direct(item: Deliverable): void {
      delivery.direct(item);
      queueRealMicrotask(() => delivery.runDirect());
    },
  };
}
