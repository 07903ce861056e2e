/**
 * Arguments of `request`, converted by the rules of Web IDL: which members are read, in which
 * order, and which values are a TypeError. https://webidl.spec.whatwg.org/#js-to-dictionary and the
 * IDL of https://w3c.github.io/web-locks/#api-lock-manager
 */

import { LimitError } from '../../api/errors.ts';
import { setSizeMax } from '../../api/limits.ts';
import { describe } from '../../api/sets.ts';
import type { UnitCount } from '../../api/units.ts';
import { domException } from './dom-exception.ts';

/**
 * 'exclusive', or 'shared' with other shared locks.
 *
 * @since 0.1.0
 */
export type LockMode = 'exclusive' | 'shared';

/**
 * Options of a request.
 *
 * @since 0.1.0
 */
export interface LockOptions {
  /** Mode of the lock, or of all locks of a set. Default 'exclusive'. */
  readonly mode?: LockMode | undefined;
  /** Calls back without waiting, with null if the lock is not available. Default false. */
  readonly ifAvailable?: boolean | undefined;
  /**
   * Revokes the lock of its holder, whose promise rejects with an AbortError. Exclusive only.
   * Default false.
   */
  readonly steal?: boolean | undefined;
  /** Ends the wait: rejects with `signal.reason` itself. No effect once the callback is called. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Units of a resource with a capacity, or of each resource of a set, an extension by kds. Neither
   * with `mode` nor with `steal`. Default: none.
   *
   * @since 0.2.0
   */
  readonly units?: UnitCount | undefined;
}

type Callback = (lock: unknown) => unknown;

/** A request with all of its options. */
export interface LockTerms {
  /** One name, or those of a set. */
  readonly names: string | readonly string[];
  readonly mode: LockMode;
  /** Of each name; then the mode is 'shared'. */
  readonly units: UnitCount | undefined;
  readonly ifAvailable: boolean;
  readonly steal: boolean;
  readonly signal: AbortSignal | undefined;
  readonly callback: Callback;
}

/**
 * The overloads `(name, callback)` and `(name, options, callback)`.
 *
 * @throws TypeError; LimitError for a list of more names than a set may have; any error of a
 * conversion that the caller defined.
 */
export function convertArguments(args: readonly unknown[]): LockTerms {
  if (args.length < 2) {
    throw new TypeError(`request takes a name and a callback, and there are ${args.length}`);
  }
  const names = convertNames(args[0]);
  const options = convertOptions(args.length === 2 ? undefined : args[1]);
  const callback = args[args.length === 2 ? 1 : 2];
  if (typeof callback !== 'function') {
    throw new TypeError(`the callback is a function, not ${describe(callback)}`);
  }
  return { names, ...options, callback: callback as Callback };
}

/** A list, an extension by kds, is a set. By the standard it would be the name 'a,b'. */
function convertNames(value: unknown): string | readonly string[] {
  if (!Array.isArray(value)) return toDOMString(value);
  const { length } = value;
  if (length > setSizeMax) {
    throw new LimitError(`a set of ${length} names is over the limit of ${setSizeMax}`);
  }
  // Read by index: a list may have an iterator of its own.
  return [...new Set(Array.from({ length }, (_, index) => toDOMString(value[index])))];
}

/** Not by String(), which converts symbols too. */
function toDOMString(value: unknown): string {
  return `${value as string}`;
}

/** Members are read in the order of their names, each once. */
function convertOptions(value: unknown): Omit<LockTerms, 'names' | 'callback'> {
  if (value === undefined || value === null) return defaults;
  if (typeof value !== 'object' && typeof value !== 'function') {
    throw new TypeError(`options are an object, not ${describe(value)}`);
  }
  const options = value as Record<keyof LockOptions, unknown>;
  const ifAvailable = Boolean(options.ifAvailable);
  const given = options.mode;
  const mode = toMode(given);
  const signal = toSignal(options.signal);
  const steal = Boolean(options.steal);
  // The domain reads it, and refuses invalid numbers.
  const units = options.units as UnitCount | undefined;
  if (units === undefined) return { ifAvailable, mode, units, signal, steal };
  if (given !== undefined) {
    throw domException('NotSupportedError', 'units and mode exclude each other');
  }
  return { ifAvailable, mode: 'shared', units, signal, steal };
}

const defaults = Object.freeze({
  ifAvailable: false,
  mode: 'exclusive',
  units: undefined,
  signal: undefined,
  steal: false,
} as const);

function toMode(value: unknown): LockMode {
  if (value === undefined) return 'exclusive';
  const mode = toDOMString(value);
  if (mode === 'exclusive' || mode === 'shared') return mode;
  throw new TypeError(`mode is 'exclusive' or 'shared', not ${describe(mode)}`);
}

/** Checks by a getter that only AbortSignals accept, of any realm. */
function toSignal(value: unknown): AbortSignal | undefined {
  if (value === undefined) return undefined;
  try {
    isAborted?.call(value);
  } catch {
    throw new TypeError(`signal is an AbortSignal, not ${describe(value)}`);
  }
  return value as AbortSignal;
}

const isAborted = Object.getOwnPropertyDescriptor(AbortSignal.prototype, 'aborted')?.get;

/** Members of an interface are enumerable, and its objects have its name. */
export function asInterface({ prototype }: { readonly prototype: object }, name: string): void {
  for (const member of ['request', 'query', 'name', 'mode']) {
    if (!Object.hasOwn(prototype, member)) continue;
    Object.defineProperty(prototype, member, { enumerable: true });
  }
  Object.defineProperty(prototype, Symbol.toStringTag, { value: name, configurable: true });
}
