/**
 * Every error that kds throws or rejects with on its own account. Tell them apart by `code`, which
 * stays when two copies of the package are loaded, or by class. Arguments that are not of their
 * type or range at all throw TypeError and RangeError, as anywhere.
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

export abstract class KdsError extends Error {
  abstract readonly code: KdsErrorCode;

  /** Whatever it quotes, and from wherever: a terminal is shown no character that it obeys. */
  constructor(message?: string, options?: ErrorOptions) {
    super(message === undefined ? message : escaped(message), options);
  }
}

/** The set itself is at fault: an unknown key, a foreign or closed resource, a part it lacks. */
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

/** One of the sets in a circle of waiting; the next one in the list is in its way. */
export interface DeadlockStep {
  readonly id: number;
  readonly label: string | undefined;
  /** Whether it holds its set; if so, `holding` of the next step is why it is not let go of. */
  readonly isHeld: boolean;
  /** What it holds or asks for. */
  readonly set: { readonly exclusive: readonly string[]; readonly shared: readonly string[] };
}

/** Refused, as waiting would never end. The request has left no trace. */
export class DeadlockError extends KdsError {
  override readonly name = 'DeadlockError';
  readonly code = 'KDS_DEADLOCK';
  /** The circle, from the refused request on; empty where the host knows only that there is one. */
  readonly cycle: readonly DeadlockStep[];

  constructor(message: string, cycle: readonly DeadlockStep[] = []) {
    super(message);
    this.cycle = cycle;
  }
}

/** A blocking wait was ended by somebody's `interrupt`. The request has left no trace. */
export class InterruptedError extends KdsError {
  override readonly name = 'InterruptedError';
  readonly code = 'KDS_INTERRUPTED';
}

/** A resource or callback cannot be closed while it is used or waited on. */
export class ResourceBusyError extends KdsError {
  override readonly name = 'ResourceBusyError';
  readonly code = 'KDS_RESOURCE_BUSY';
}

/** The grant no longer holds what the call needs: taken away, or already released. */
export class GrantLostError extends KdsError {
  override readonly name = 'GrantLostError';
  readonly code = 'KDS_GRANT_LOST';
}

/** The domain or session was closed, before the call or while it waited. */
export class DomainClosedError extends KdsError {
  override readonly name = 'DomainClosedError';
  readonly code = 'KDS_DOMAIN_CLOSED';
}

/** Beyond a limit of limits.ts, or memory is at its end. The request has left no trace. */
export class LimitError extends KdsError {
  override readonly name = 'LimitError';
  readonly code = 'KDS_LIMIT';
}

/** Whoever keeps the state is out of reach. */
export class UnavailableError extends KdsError {
  override readonly name = 'UnavailableError';
  readonly code = 'KDS_UNAVAILABLE';
}

/** The other side speaks otherwise than agreed. */
export class ProtocolError extends KdsError {
  override readonly name = 'ProtocolError';
  readonly code = 'KDS_PROTOCOL';
}

/** This host or runtime does not offer what was asked for. */
export class UnsupportedError extends KdsError {
  override readonly name = 'UnsupportedError';
  readonly code = 'KDS_UNSUPPORTED';
}

/** A job was not run, as one that it comes after did not succeed: that one's error is `cause`. */
export class JobSkippedError extends KdsError {
  override readonly name = 'JobSkippedError';
  readonly code = 'KDS_JOB_SKIPPED';
}

/** A fence of several threads has failed: of its error all that gets across is a number. */
export class FenceFailedError extends KdsError {
  override readonly name = 'FenceFailedError';
  readonly code = 'KDS_FENCE_FAILED';
  /** What it was failed with: 1 to 2^29. */
  readonly number: number;

  constructor(message: string, number = 0) {
    super(message);
    this.number = number;
  }
}
