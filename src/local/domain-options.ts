/** What every domain of this kind can be made with. */

import { checkFunction, checkIsObject, checkLabel, checkTimeout } from '../api/options.ts';
import { describe } from '../api/sets.ts';
import { CarriedHolding } from './held-context.ts';
import { type HoldWarning, HoldWatchdog, reportAsWarning } from './hold-watchdog.ts';
import type { Host } from './host.ts';

export interface DomainOptions {
  /**
   * Whether what is requested inside the function of a `run` declares by itself that the run's
   * grant is held meanwhile, so that a circle of waiting is refused with DeadlockError. Costs an
   * AsyncLocalStorage. Default false.
   */
  readonly carryHolding?: boolean | undefined;
  /** Report, once each, grants held for longer than this, in ms. They are not revoked. */
  readonly holdWarningMs?: number | undefined;
  /** Told of those. Default: a warning of the process, or the console of a browser. */
  readonly onHoldWarning?: ((warning: HoldWarning) => void) | undefined;
  /** Shown in snapshots. */
  readonly label?: string | undefined;
}

/** @throws TypeError, RangeError, LimitError */
export function readDomainOptions(options: DomainOptions): DomainOptions {
  checkIsObject(options);
  const { carryHolding, holdWarningMs, onHoldWarning, label } = options;
  if (carryHolding !== undefined && typeof carryHolding !== 'boolean') {
    throw new TypeError(`carryHolding is a boolean, not ${describe(carryHolding)}`);
  }
  if (onHoldWarning !== undefined) checkFunction(onHoldWarning, 'onHoldWarning');
  if (holdWarningMs !== undefined) checkTimeout(holdWarningMs, 'holdWarningMs');
  if (label !== undefined) checkLabel(label);
  return { carryHolding, holdWarningMs, onHoldWarning, label };
}

/** @throws UnsupportedError for `carryHolding` where the runtime cannot. */
export function equip(host: Host, options: DomainOptions): void {
  const { carryHolding = false, holdWarningMs, onHoldWarning = reportAsWarning } = options;
  if (carryHolding) host.carried = new CarriedHolding();
  if (holdWarningMs !== undefined) {
    host.watchdog = new HoldWatchdog(host, holdWarningMs, onHoldWarning);
  }
}
