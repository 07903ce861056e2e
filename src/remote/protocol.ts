/**
 * The vocabulary of a remote domain and its backend: operations go to the backend, events come from
 * it. The broker's messages are these as JSON (backends/broker/wire/messages.ts); the backends of
 * engines translate them.
 *
 * A request and the grant that comes of it have one id. An operation on either has no answer: it
 * cannot fail, as the client knows exactly what it holds.
 */

import type { GrantLostEvent } from '../api/events.ts';
import type { UnitRange } from '../api/units.ts';
import type { RemoteRef } from './resources.ts';

export type Operation =
  | { readonly do: 'cancel'; readonly ids: readonly number[] }
  | { readonly do: 'release'; readonly id: number; readonly part?: readonly RemoteRef[] }
  | {
      readonly do: 'downgrade';
      readonly id: number;
      readonly part?: readonly RemoteRef[];
      /** In place of a part: the units that are left of each resource. */
      readonly units?: readonly (readonly [resource: RemoteRef, units: number])[];
    }
  | { readonly do: 'abandon'; readonly id: number };

/** What a backend reports of a grant when it is given. */
export interface Granted {
  readonly token: number;
  readonly recovered?: readonly string[];
  readonly ignored?: readonly string[];
  readonly units?: readonly GrantedUnits[];
}

/** The units that a grant has of a resource, ascending: by their names, or ranges of numbers. */
export type GrantedUnits = readonly [
  resource: RemoteRef,
  units: readonly string[] | readonly UnitRange[],
];

export type GrantedEvent = { readonly is: 'granted'; readonly id: number } & Granted;

/** `denied`: a try found a conflict. `settled`: no conflict is left to observe. */
export interface SettledEvent {
  readonly is: 'denied' | 'settled';
  readonly id: number;
}

export type BackendEvent =
  | GrantedEvent
  | SettledEvent
  | { readonly is: 'waiting'; readonly id: number }
  | { readonly is: 'refused'; readonly id: number; readonly reason: unknown }
  | {
      readonly is: 'lost';
      readonly id: number;
      /** Default: a GrantLostError that names the token. */
      readonly reason?: unknown;
      /** Default 'stolen'. */
      readonly cause?: GrantLostEvent['cause'];
    };
