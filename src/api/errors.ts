/**
 * Every error that kds throws or rejects with on its own account. Arguments of a wrong type or out
 * of range throw TypeError and RangeError, as in the language.
 */

import { escaped } from '../runtime/escape.ts';

/**
 * The code of a {@link KdsError}: one for each class, and stable. docs/errors.md has their causes.
 *
 * @since 0.1.0
 */
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
  | 'KDS_CAPACITY'
  | 'KDS_UNAVAILABLE'
  | 'KDS_PROTOCOL'
  | 'KDS_UNSUPPORTED'
  | 'KDS_JOB_SKIPPED'
  | 'KDS_FENCE_FAILED';

/**
 * Returns whether an error comes from kds. Checks the code and not the class, which differs between
 * copies of the package and between realms.
 *
 * @param error - Any value.
 * @waits Never.
 * @since 0.2.0
 */
export function isKdsError(error: unknown): error is KdsError;
/**
 * Returns whether an error has a code of kds, and narrows it to the class of that code.
 *
 * @param error - Any value.
 * @param code - The code.
 * @waits Never.
 * @example
 * ```ts
 * import { createDomain, isKdsError } from 'kds';
 *
 * const domain = createDomain();
 * const held = await domain.acquire({ exclusive: 'db' });
 * await domain.acquire({ shared: 'db' }, { timeoutMs: 5 }).catch((error) => {
 *   if (!isKdsError(error, 'KDS_WAIT_TIMEOUT')) throw error;
 * });
 * held.release();
 * ```
 * @since 0.2.0
 */
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
  | CapacityError
  | UnavailableError
  | ProtocolError
  | UnsupportedError
  | JobSkippedError
  | FenceFailedError,
  { readonly code: Code }
>;

/**
 * An error that kds raises on its own account; its subclasses have the causes. The message states
 * the event, the resource, its blockers and the next step; it is for people and may change. A
 * refused request has left no trace.
 *
 * @since 0.1.0
 */
export abstract class KdsError extends Error {
  /** The code of the class, for {@link isKdsError}. */
  abstract readonly code: KdsErrorCode;

  /**
   * For backends. Escapes control characters, since a message quotes text of other callers.
   *
   * @param message - The text.
   * @param options - `cause`: the error behind this one.
   */
  constructor(message?: string, options?: ErrorOptions) {
    super(message === undefined ? message : escaped(message), options);
  }
}

/**
 * The set itself is invalid: an unknown key, a list that is `undefined`, a closed or foreign
 * resource or prepared set, a shared resource of a stealing request, or a part that the grant does
 * not hold. Fix the program; if a handle may have been closed, make a new one.
 *
 * @since 0.1.0
 */
export class InvalidSetError extends KdsError {
  /** The name of the class. */
  override readonly name = 'InvalidSetError';
  readonly code = 'KDS_INVALID_SET';
}

/**
 * The request was not granted, or the set not settled, within `timeoutMs`; or `acquireSync` could
 * not have the set at once where the thread may not block. Try again later, or give up: the message
 * names the blockers. The `name` of the error is `TimeoutError`, like that of the platform's.
 *
 * @since 0.1.0
 */
export class WaitTimeoutError extends KdsError {
  /** Like that of the platform's. */
  override readonly name = 'TimeoutError';
  readonly code = 'KDS_WAIT_TIMEOUT';
}

/**
 * The request has `locked: 'fail'`, and a synchronous caller holds, or waits for, a resource of its
 * set. Do something else, or request the set with `locked: 'wait'`.
 *
 * @since 0.1.0
 */
export class LockedError extends KdsError {
  /** The name of the class. */
  override readonly name = 'LockedError';
  readonly code = 'KDS_LOCKED';
}

/**
 * One of the sets in a cycle of waiting; it waits for the next one in the list, or is held by the
 * caller of the next one.
 *
 * @since 0.1.0
 */
export interface DeadlockStep {
  /** The id of the request, as in snapshots. */
  readonly id: number;
  /** The label of the request. */
  readonly label: string | undefined;
  /** Whether the set is held; if so, the next step's option `holding` keeps it. */
  readonly isHeld: boolean;
  /** The resources that it holds or requests: names as in snapshots. */
  readonly set: {
    /** Those in exclusive mode. */
    readonly exclusive: readonly string[];
    /** Those in shared mode. */
    readonly shared: readonly string[];
    /** The units that it takes of others, by name; absent without any. */
    readonly units?: Readonly<Record<string, number>>;
  };
}

/**
 * The request would wait for a grant that its caller keeps (`holding`, `nested: 'checked'`, or
 * `kds run` around the process), or threads block on each other in `acquireSync`. Acquire both sets
 * at once; or release before the request, and check the state again after the grant.
 *
 * @since 0.1.0
 */
export class DeadlockError extends KdsError {
  /** The name of the class. */
  override readonly name = 'DeadlockError';
  readonly code = 'KDS_DEADLOCK';
  /** The cycle, from the refused request on; empty if the backend knows only that there is one. */
  readonly cycle: readonly DeadlockStep[];

  /**
   * For backends.
   *
   * @param message - The text, with the cycle in words.
   * @param cycle - The cycle, from the refused request on. Default: empty.
   */
  constructor(message: string, cycle: readonly DeadlockStep[] = []) {
    super(message);
    this.cycle = cycle;
  }
}

/**
 * `acquireSync` was blocked, and another thread called `interrupt` with the agent of this domain.
 * (kds.h: -ERESTARTSYS.) Handle the interruption, then request the set again.
 *
 * @since 0.1.0
 */
export class InterruptedError extends KdsError {
  /** The name of the class. */
  override readonly name = 'InterruptedError';
  readonly code = 'KDS_INTERRUPTED';
}

/**
 * A resource that a set holds or waits for, or a Callback that waiting requests use, cannot be
 * closed, and is still open. Release and cancel first.
 *
 * @since 0.1.0
 */
export class ResourceBusyError extends KdsError {
  /** The name of the class. */
  override readonly name = 'ResourceBusyError';
  readonly code = 'KDS_RESOURCE_BUSY';
}

/**
 * The grant was revoked, released, or has ended with its session, domain or lease: thrown by
 * `release(part)`, `downgrade` and `run`, and the reason of `grant.signal`. Stop using the
 * resources of the grant: another caller may hold them.
 *
 * @since 0.1.0
 */
export class GrantLostError extends KdsError {
  /** The name of the class. */
  override readonly name = 'GrantLostError';
  readonly code = 'KDS_GRANT_LOST';
}

/**
 * The domain, the session or one around it was closed, before the call or while the request
 * waited; or the Callback of an `enqueue` is closed. Usually there is nothing to do.
 *
 * @since 0.1.0
 */
export class DomainClosedError extends KdsError {
  /** The name of the class. */
  override readonly name = 'DomainClosedError';
  readonly code = 'KDS_DOMAIN_CLOSED';
}

/**
 * The request exceeds a limit ({@link setSizeMax}, {@link nameLengthMax}, {@link labelLengthMax},
 * or one of the backend), or memory is exhausted. Use fewer and shorter names. Exhausted memory has
 * two usual causes: requests without a limit, or a missing release.
 *
 * @since 0.1.0
 */
export class LimitError extends KdsError {
  /** The name of the class. */
  override readonly name = 'LimitError';
  readonly code = 'KDS_LIMIT';
}

/**
 * The set takes units of a resource without a capacity, more units than there are, or asserts
 * another capacity than the one in force; a smaller capacity was declared while the request waited;
 * or the names of units that are in use would change. Declare the capacity first, by `setCapacity`
 * or in the set, or take fewer units.
 *
 * @since 0.2.0
 */
export class CapacityError extends KdsError {
  /** The name of the class. */
  override readonly name = 'CapacityError';
  readonly code = 'KDS_CAPACITY';
}

/**
 * The backend is unavailable: no broker or server answers in time, or the lock of an arena is not
 * free. A domain of one event loop never throws it. Remove the cause that the message names, then
 * request again. In a browser's worker, await `domain.ready` first.
 *
 * @since 0.1.0
 */
export class UnavailableError extends KdsError {
  /** The name of the class. */
  override readonly name = 'UnavailableError';
  readonly code = 'KDS_UNAVAILABLE';
}

/**
 * Protocol mismatch: the peer or the stored state is of another version of kds, damaged, or no part
 * of kds; or the server refuses for good. The message names both versions. Use one version of kds
 * in all threads and clients; close all clients of the other version first.
 *
 * @since 0.1.0
 */
export class ProtocolError extends KdsError {
  /** The name of the class. */
  override readonly name = 'ProtocolError';
  readonly code = 'KDS_PROTOCOL';
}

/**
 * The runtime or the backend lacks a feature, such as AsyncLocalStorage, shared memory or Unix
 * sockets. `domain.capabilities` has the features of a backend in advance.
 *
 * @since 0.1.0
 */
export class UnsupportedError extends KdsError {
  /** The name of the class. */
  override readonly name = 'UnsupportedError';
  readonly code = 'KDS_UNSUPPORTED';
}

/**
 * A job of `kds/jobs` did not run, since a job of its `after` did not succeed; the error of that
 * job is `cause`. Handle the cause. A job with `afterFailure: 'run'` runs regardless.
 *
 * @since 0.1.0
 */
export class JobSkippedError extends KdsError {
  /** The name of the class. */
  override readonly name = 'JobSkippedError';
  readonly code = 'KDS_JOB_SKIPPED';
}

/**
 * A fence of several threads has failed; only the `number` of its error crosses threads. Handle the
 * number as your threads define it.
 *
 * @since 0.1.0
 */
export class FenceFailedError extends KdsError {
  /** The name of the class. */
  override readonly name = 'FenceFailedError';
  readonly code = 'KDS_FENCE_FAILED';
  /** The number that the fence failed with: an integer from 1 to 2^29. */
  readonly number: number;

  /**
   * For `kds/fences`.
   *
   * @param message - The text.
   * @param number - The number that the fence failed with.
   */
  constructor(message: string, number = 0) {
    super(message);
    this.number = number;
  }
}
