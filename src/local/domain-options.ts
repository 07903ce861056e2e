/** Options of a local domain. */

import { checkFunction, checkIsObject, checkLabel, checkTimeout } from '../api/options.ts';
import { describe } from '../api/sets.ts';
import { HeldContext } from './held-context.ts';
import { type HoldWarning, HoldWatchdog, reportAsWarning } from './hold-watchdog.ts';
import type { Operations } from './operations.ts';

export type NestedPolicy = 'independent' | 'checked';

export interface DomainOptions {
  /**
   * How requests inside the function of a `run` relate to its grant. 'independent' (default): not
   * at all. 'checked': each declares by itself that the grant is held meanwhile, as by `holding`;
   * one that would close a cycle of waiting is refused with DeadlockError. Costs an
   * AsyncLocalStorage.
   */
  readonly nested?: NestedPolicy | undefined;
  /** Report, once each, grants held for longer than this, in ms. They are not revoked. */
  readonly holdWarningMs?: number | undefined;
  /** Receives those reports. Default: a warning of the process, or the console of a browser. */
  readonly onHoldWarning?: ((warning: HoldWarning) => void) | undefined;
  /** In snapshots. */
  readonly label?: string | undefined;
}

/** @throws TypeError, RangeError, LimitError */
export function readDomainOptions(options: DomainOptions): DomainOptions {
  checkIsObject(options);
  const { nested, holdWarningMs, onHoldWarning, label } = options;
  if (nested !== undefined && nested !== 'independent' && nested !== 'checked') {
    throw new TypeError(`nested is 'independent' or 'checked', not ${describe(nested)}`);
  }
  if (onHoldWarning !== undefined) checkFunction(onHoldWarning, 'onHoldWarning');
  if (holdWarningMs !== undefined) checkTimeout(holdWarningMs, 'holdWarningMs');
  if (label !== undefined) checkLabel(label);
  return { nested, holdWarningMs, onHoldWarning, label };
}

/** @throws UnsupportedError for `nested: 'checked'` where there is no AsyncLocalStorage. */
export function applyOptions(backend: Operations, options: DomainOptions): void {
  const { nested, holdWarningMs, onHoldWarning = reportAsWarning } = options;
  if (nested === 'checked') backend.heldContext = new HeldContext();
  if (holdWarningMs !== undefined) {
    backend.notices.watchdog = new HoldWatchdog(backend, holdWarningMs, onHoldWarning);
  }
}
