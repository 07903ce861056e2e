/** Errors on their way from the broker to a client: code, message, and of a cycle its steps. */

import {
  CapacityError,
  DeadlockError,
  type DeadlockStep,
  DomainClosedError,
  FenceFailedError,
  GrantLostError,
  InterruptedError,
  InvalidSetError,
  JobSkippedError,
  KdsError,
  type KdsErrorCode,
  LimitError,
  LockedError,
  ProtocolError,
  ResourceBusyError,
  UnavailableError,
  UnsupportedError,
  WaitTimeoutError,
} from '../../../api/errors.ts';
import { decodeSet, type EncodedPart, encodeSet } from '../../../api/mode.ts';
import type { Frame } from './frames.ts';

export interface ErrorSent {
  readonly code: KdsErrorCode;
  readonly message: string;
  readonly cycle?: readonly SentStep[];
}

type SentStep = Omit<DeadlockStep, 'set'> & { readonly parts: readonly EncodedPart[] };

type ErrorClass = new (message: string) => KdsError;

const classes: Readonly<Record<KdsErrorCode, ErrorClass>> = {
  KDS_INVALID_SET: InvalidSetError,
  KDS_WAIT_TIMEOUT: WaitTimeoutError,
  KDS_LOCKED: LockedError,
  KDS_DEADLOCK: DeadlockError,
  KDS_INTERRUPTED: InterruptedError,
  KDS_RESOURCE_BUSY: ResourceBusyError,
  KDS_GRANT_LOST: GrantLostError,
  KDS_DOMAIN_CLOSED: DomainClosedError,
  KDS_LIMIT: LimitError,
  KDS_CAPACITY: CapacityError,
  KDS_UNAVAILABLE: UnavailableError,
  KDS_PROTOCOL: ProtocolError,
  KDS_UNSUPPORTED: UnsupportedError,
  KDS_JOB_SKIPPED: JobSkippedError,
  KDS_FENCE_FAILED: FenceFailedError,
};

/** An error that is not kds's own is reported as the request's fault: its frame was valid. */
export function errorSent(error: unknown): ErrorSent {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof KdsError ? error.code : 'KDS_PROTOCOL';
  if (!(error instanceof DeadlockError)) return { code, message };
  const cycle = error.cycle.map(({ set, ...step }) => ({ ...step, parts: encodeSet(set) }));
  return { code, message, cycle };
}

/** An error as the broker sent it; one of a code unknown here is a ProtocolError. */
export function errorReceived({ code, message, cycle }: Frame): KdsError {
  const text = typeof message === 'string' ? message : 'the broker gave no reason';
  if (code === 'KDS_DEADLOCK' && Array.isArray(cycle)) {
    return new DeadlockError(text, cycle.map(stepReceived));
  }
  const isKnown = typeof code === 'string' && Object.hasOwn(classes, code);
  return new (isKnown ? classes[code as KdsErrorCode] : ProtocolError)(text);
}

function stepReceived({ id, label, isHeld, parts }: SentStep): DeadlockStep {
  return { id, label, isHeld, set: decodeSet(parts) ?? { exclusive: [], shared: [] } };
}
