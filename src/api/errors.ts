/**
 * Every error that kds throws or rejects with on its own account. Arguments of a wrong type or out
 * of range throw TypeError and RangeError, as in the language.
 */

import { escaped } from '../runtime/escape.ts';

export type KdsErrorCode =
  | 'KDS_INVALID_SET'
  | 'KDS_WAIT_TIMEOUT'
  | 'KDS_LOCKED'
  | 'KDS_DEADLOCK'
  | 'KDS_INTERRUPTED'
  | 'KDS_RESOURCE_BUSY'
  | 'KDS_GRANT_LOST'
  | 'KDS_DOMAIN_CLOSED'
  | 'KDS_LIMIT'
  | 'KDS_UNAVAILABLE'
  | 'KDS_PROTOCOL'
  | 'KDS_UNSUPPORTED'
  | 'KDS_JOB_SKIPPED'
  | 'KDS_FENCE_FAILED';

/**
 * Whether an error comes from kds; with a code, whether it has that one. Checks the code and not
 * the class, which differs between copies of the package and between realms.
 *
 * @example
 * import { createDomain, isKdsError } from 'kds';
 *
 * const domain = createDomain();
 * const held = await domain.acquire({ exclusive: 'db' });
 * await domain.acquire({ shared: 'db' }, { timeoutMs: 5 }).catch((error) => {
 *   if (!isKdsError(error, 'KDS_WAIT_TIMEOUT')) throw error;
 * });
 * held.release();
 */
export function isKdsError(error: unknown): error is KdsError;
export function isKdsError<Code extends KdsErrorCode>(
  error: unknown,
  code: Code,
): error is KdsErrorOf<Code>;
export function isKdsError(error: unknown, code?: KdsErrorCode): boolean {
  const { code: actual } = (error ?? {}) as { readonly code?: unknown };
  return code === undefined ? String(actual).startsWith('KDS_') : actual === code;
}

/** The class of the errors with that code. */
type KdsErrorOf<Code extends KdsErrorCode> = Extract<
  | InvalidSetError
  | WaitTimeoutError
  | LockedError
  | DeadlockError
  | InterruptedError
  | ResourceBusyError
  | GrantLostError
  | DomainClosedError
  | LimitError
  | UnavailableError
  | ProtocolError
  | UnsupportedError
  | JobSkippedError
  | FenceFailedError,
  { readonly code: Code }
>;

export abstract class KdsError extends Error {
  abstract readonly code: KdsErrorCode;

  /** Escapes control characters, since a message quotes text of other callers. */
  constructor(message?: string, options?: ErrorOptions) {
    super(message === undefined ? message : escaped(message), options);
  }
}

/** Invalid set: an unknown key, a foreign or closed resource, or a part that the grant lacks. */
export class InvalidSetError extends KdsError {
  override readonly name = 'InvalidSetError';
  readonly code = 'KDS_INVALID_SET';
}

/** Not granted within `timeoutMs`. The request has left no trace. */
export class WaitTimeoutError extends KdsError {
  override readonly name = 'TimeoutError';
  readonly code = 'KDS_WAIT_TIMEOUT';
}

/** Refused by `locked: 'fail'`: a synchronous caller holds, or waits for, some of the set. */
export class LockedError extends KdsError {
  override readonly name = 'LockedError';
  readonly code = 'KDS_LOCKED';
}

/** One of the sets in a cycle of waiting; it waits for the next one in the list. */
export interface DeadlockStep {
  readonly id: number;
  readonly label: string | undefined;
  /** Whether the set is held; if so, the next step's option `holding` keeps it. */
  readonly isHeld: boolean;
  /** The resources that it holds or requests. */
  readonly set: { readonly exclusive: readonly string[]; readonly shared: readonly string[] };
}

/** Refused, as the request would wait for itself. It has left no trace. */
export class DeadlockError extends KdsError {
  override readonly name = 'DeadlockError';
  readonly code = 'KDS_DEADLOCK';
  /** From the refused request on; empty where the backend knows only that there is a cycle. */
  readonly cycle: readonly DeadlockStep[];

  constructor(message: string, cycle: readonly DeadlockStep[] = []) {
    super(message);
    this.cycle = cycle;
  }
}

/** A blocking wait was ended by `interrupt`. The request has left no trace. */
export class InterruptedError extends KdsError {
  override readonly name = 'InterruptedError';
  readonly code = 'KDS_INTERRUPTED';
}

/** A resource or callback cannot be closed while it is used or waited on. */
export class ResourceBusyError extends KdsError {
  override readonly name = 'ResourceBusyError';
  readonly code = 'KDS_RESOURCE_BUSY';
}

/** The grant no longer holds what the call needs: it was lost, or already released. */
export class GrantLostError extends KdsError {
  override readonly name = 'GrantLostError';
  readonly code = 'KDS_GRANT_LOST';
}

/** The domain or session was closed, before the call or during its wait. */
export class DomainClosedError extends KdsError {
  override readonly name = 'DomainClosedError';
  readonly code = 'KDS_DOMAIN_CLOSED';
}

/** Beyond a limit of limits.ts, or out of memory. The request has left no trace. */
export class LimitError extends KdsError {
  override readonly name = 'LimitError';
  readonly code = 'KDS_LIMIT';
}

/** The backend is unavailable. */
export class UnavailableError extends KdsError {
  override readonly name = 'UnavailableError';
  readonly code = 'KDS_UNAVAILABLE';
}

/** Protocol mismatch: the peer sent what the protocol does not have. */
export class ProtocolError extends KdsError {
  override readonly name = 'ProtocolError';
  readonly code = 'KDS_PROTOCOL';
}

/** The backend or runtime lacks this capability. */
export class UnsupportedError extends KdsError {
  override readonly name = 'UnsupportedError';
  readonly code = 'KDS_UNSUPPORTED';
}

/** A job did not run, since a job before it did not succeed; that job's error is `cause`. */
export class JobSkippedError extends KdsError {
  override readonly name = 'JobSkippedError';
  readonly code = 'KDS_JOB_SKIPPED';
}

/** A fence of several threads has failed; only a number of its error crosses threads. */
export class FenceFailedError extends KdsError {
  override readonly name = 'FenceFailedError';
  readonly code = 'KDS_FENCE_FAILED';
  /** The number that the fence failed with: 1 to 2^29. */
  readonly number: number;

  constructor(message: string, number = 0) {
    super(message);
    this.number = number;
  }
}
