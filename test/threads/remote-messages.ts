/**
 * What a {@link RemoteDomain} and the worker that it speaks for say to each other.
 *
 * Both sides name things by numbers that the remote side gives: a grant has that of its request.
 * Messages arrive in the order in which they are sent, so calls need no answer to be in order.
 */

import type { Arena } from '../../src/backends/threads/index.ts';
import {
  type Capacity,
  CapacityError,
  type CapacitySpec,
  DeadlockError,
  type DeadlockStep,
  DomainClosedError,
  GrantLostError,
  InvalidSetError,
  KdsError,
  type KdsErrorCode,
  LimitError,
  LockedError,
  type LockedPolicy,
  ResourceBusyError,
  type Snapshot,
  UnavailableError,
  type Unit,
  type UnitCount,
  UnsupportedError,
  WaitTimeoutError,
} from '../../src/index.ts';

/** A name, or the number of a handle. */
export type RefSent = string | number;

/** A set, or the number of a prepared one. */
export type SetSent =
  | number
  | {
      readonly exclusive?: readonly RefSent[];
      readonly shared?: readonly RefSent[];
      readonly units?: readonly (readonly [RefSent, UnitCount])[];
    };

export interface OptionsSent {
  readonly signal?: number;
  readonly timeoutMs?: number;
  readonly locked?: LockedPolicy;
  readonly steal?: boolean;
  readonly label?: string;
  readonly holding?: readonly number[];
  readonly delivery?: 'queued' | 'direct';
}

/** How a set is asked for. */
export type Asking = 'acquire' | 'try' | 'enqueue' | 'settled';

/** Of a session; the domain itself is the session 0. Those with an `id` are answered. */
export type ToWorker =
  | { readonly do: 'open'; readonly id: number; readonly arena: Arena }
  | {
      readonly do: 'ask';
      readonly id: number;
      readonly how: Asking;
      readonly session: number;
      readonly set: SetSent;
      readonly options: OptionsSent;
    }
  | { readonly do: 'abort'; readonly signal: number }
  | { readonly do: 'cancel'; readonly request: number }
  | {
      readonly do: 'release' | 'downgrade' | 'upgrade' | 'abandon';
      readonly id: number;
      readonly grant: number;
      readonly part?: readonly RefSent[];
      /** Of a downgrade to units: those that are left. */
      readonly left?: readonly (readonly [RefSent, number])[];
    }
  | {
      readonly do: 'set capacity';
      readonly id: number;
      readonly session: number;
      readonly of: RefSent;
      readonly capacity: CapacitySpec;
    }
  | {
      readonly do: 'capacity';
      readonly id: number;
      readonly session: number;
      readonly of: RefSent;
    }
  | {
      readonly do: 'session';
      readonly id: number;
      readonly parent: number;
      readonly label?: string;
    }
  | { readonly do: 'resource'; readonly id: number; readonly name?: string }
  | { readonly do: 'prepare'; readonly id: number; readonly set: SetSent }
  | { readonly do: 'query'; readonly id: number; readonly session: number }
  | { readonly do: 'close'; readonly id: number; readonly session: number }
  | { readonly do: 'close resource'; readonly id: number; readonly resource: number };

export type UnitsSent = Readonly<Record<string, readonly Unit[]>>;

/** A grant after a change of it. */
export interface ChangedGrant {
  readonly isHeld: boolean;
  readonly isUpgraded: boolean;
  readonly units: UnitsSent;
}

export interface GrantSent {
  readonly units: UnitsSent;
  readonly token: number;
  readonly recovered: readonly string[];
  readonly ignored: readonly string[];
}

export type ValueSent = Snapshot | GrantSent | ChangedGrant | Capacity | null | undefined;

export type FromWorker =
  | { readonly id: number; readonly value: ValueSent }
  | { readonly id: number; readonly error: ErrorSent }
  /** A grant has been taken away. */
  | { readonly lost: number; readonly error: ErrorSent };

/** One channel serves many domains. */
export interface Envelope<M> {
  readonly domain: number;
  readonly message: M;
}

export interface ErrorSent {
  readonly name: string;
  readonly message: string;
  readonly code: KdsErrorCode | undefined;
  readonly cycle: readonly DeadlockStep[] | undefined;
  /** It is the reason of the signal that the request was made with. */
  readonly isAbort: boolean;
}

/** The reason of signals in a worker, which stands for those of the signals that they follow. */
export const abortReason = 'the signal of the other side has aborted';

export function sendError(error: unknown): ErrorSent {
  const isAbort = error === abortReason;
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  const code = error instanceof KdsError ? error.code : undefined;
  const cycle = error instanceof DeadlockError ? error.cycle : undefined;
  return { name, message, code, cycle, isAbort };
}

export function receiveError({ name, message, code, cycle }: ErrorSent): Error {
  if (code === 'KDS_DEADLOCK') return new DeadlockError(message, cycle);
  const Class = code === undefined ? languageErrors.get(name) : kdsErrors[code];
  if (Class === undefined) throw new Error(`the worker has met with ${name}: ${message}`);
  return new Class(message);
}

const languageErrors = new Map<string, new (message: string) => Error>([
  ['TypeError', TypeError],
  ['RangeError', RangeError],
]);

const kdsErrors: { readonly [code in KdsErrorCode]?: new (message: string) => Error } = {
  KDS_INVALID_SET: InvalidSetError,
  KDS_WAIT_TIMEOUT: WaitTimeoutError,
  KDS_LOCKED: LockedError,
  KDS_RESOURCE_BUSY: ResourceBusyError,
  KDS_GRANT_LOST: GrantLostError,
  KDS_DOMAIN_CLOSED: DomainClosedError,
  KDS_LIMIT: LimitError,
  KDS_UNAVAILABLE: UnavailableError,
  KDS_UNSUPPORTED: UnsupportedError,
  KDS_CAPACITY: CapacityError,
};
