/**
 * What the suite asserts with: no assertion library is at home in every runner and in browsers.
 *
 * No assertion sleeps. Expected events are awaited, with a time limit that only a broken backend
 * reaches; unexpected ones are searched in the result of `query()`.
 */

import type { KdsError, KdsErrorCode } from '../src/api/errors.ts';

/** Time limit of an event, ms: ample for a remote backend on a busy machine. */
const deadlineMs = 300_000;
/** Length of a value in a failure, at most. */
const printedLengthMax = 2000;

const namesOf: Readonly<Record<KdsErrorCode, string>> = {
  KDS_INVALID_SET: 'InvalidSetError',
  KDS_WAIT_TIMEOUT: 'TimeoutError',
  KDS_LOCKED: 'LockedError',
  KDS_DEADLOCK: 'DeadlockError',
  KDS_INTERRUPTED: 'InterruptedError',
  KDS_RESOURCE_BUSY: 'ResourceBusyError',
  KDS_GRANT_LOST: 'GrantLostError',
  KDS_DOMAIN_CLOSED: 'DomainClosedError',
  KDS_LIMIT: 'LimitError',
  KDS_CAPACITY: 'CapacityError',
  KDS_UNAVAILABLE: 'UnavailableError',
  KDS_PROTOCOL: 'ProtocolError',
  KDS_UNSUPPORTED: 'UnsupportedError',
  KDS_JOB_SKIPPED: 'JobSkippedError',
  KDS_FENCE_FAILED: 'FenceFailedError',
};

/** A code of KdsError, or the name of an error of the language. */
export type ErrorKind = KdsErrorCode | 'TypeError' | 'RangeError';

export function check(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what);
}

/** Compares plain data by value, and all else by identity. */
export function equal(actual: unknown, expected: unknown, what: string): void {
  if (isSame(actual, expected)) return;
  throw new Error(`${what}: expected ${show(expected)}, but it is ${show(actual)}`);
}

/** What a call throws, or rejects with. Fails if it does neither. */
export async function failureOf(call: () => unknown): Promise<unknown> {
  let result: unknown;
  try {
    result = await within(Promise.resolve(call()), 'the end of a call that should fail');
  } catch (error) {
    return error;
  }
  throw new Error(`a call that should fail came to ${show(result)}`);
}

/** That a call throws, or rejects, as documented. */
export async function fails(call: () => unknown, kind: ErrorKind, what = ''): Promise<KdsError> {
  return isError(await failureOf(call), kind, what);
}

/** Checks the code and the message of an error. Not the class, which may be loaded twice. */
export function isError(error: unknown, kind: ErrorKind, what = ''): KdsError {
  check(error instanceof Error, `${what}: expected ${kind}, but it is ${show(error)}`);
  const { name, message } = error;
  if (isCode(kind)) {
    const actual = { name, code: 'code' in error ? error.code : undefined };
    equal(actual, { name: namesOf[kind], code: kind }, `${what}: "${message}"`);
  } else {
    equal(name, kind, `${what}: "${message}"`);
  }
  check(message.length > 10, `${what}: "${message}" is too short`);
  return error as KdsError;
}

/** That a message names what it is about. */
export function mentions(error: unknown, ...parts: readonly string[]): void {
  const { message } = error as Error;
  for (const part of parts) check(message.includes(part), `"${message}" does not name ${part}`);
}

/** The outcome of a promise, or a failure that names what was awaited. */
export async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new Error(`waited ${deadlineMs} ms for ${what}`);
    timer = setTimeout(() => reject(error), deadlineMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits until a signal has aborted; returns why. */
export async function reasonOf(signal: AbortSignal, what: string): Promise<unknown> {
  if (!signal.aborted) {
    const aborts = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await within(aborts, `the signal of ${what} to abort`);
  }
  return signal.reason;
}

function isCode(kind: ErrorKind): kind is KdsErrorCode {
  return kind in namesOf;
}

export function show(value: unknown): string {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (typeof value !== 'object' || value === null) return String(value);
  const text = textOf(value);
  return text.length <= printedLengthMax ? text : `${text.slice(0, printedLengthMax)}…`;
}

/** As JSON, where it can be written so. */
function textOf(value: object): string {
  try {
    const isOdd = (each: unknown) => typeof each === 'bigint' || typeof each === 'symbol';
    return JSON.stringify(value, (_, each) => (isOdd(each) ? String(each) : each));
  } catch {
    return String(value);
  }
}

function isSame(actual: unknown, expected: unknown): boolean {
  if (Object.is(actual, expected)) return true;
  if (!isPlain(actual) || !isPlain(expected)) return false;
  if (Array.isArray(actual) !== Array.isArray(expected)) return false;
  const keys = new Set([...Object.keys(actual), ...Object.keys(expected)]);
  return [...keys].every((key) => isSame(actual[key], expected[key]));
}

function isPlain(value: unknown): value is { readonly [key in string]?: unknown } {
  if (typeof value !== 'object' || value === null) return false;
  return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
}
