/** A domain in one event loop. */

import type { SyncDomain } from '../../domain/domain.ts';
import { checkFunction, checkIsObject, checkLabel, checkTimeout } from '../../domain/options.ts';
import { describe } from '../../domain/sets.ts';
import { type HoldWarning, HoldWatchdog, reportAsWarning } from './hold-watchdog.ts';
import { CarriedHolding } from './holding.ts';
import { ProcessHost } from './host.ts';
import { ProcessSession } from './session.ts';

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

/**
 * A new domain: what is locked in it is locked against callers of the same object, in this event
 * loop. Keeps no process alive.
 *
 * @throws TypeError, RangeError for options that are none; UnsupportedError for `carryHolding`
 * where the runtime cannot.
 * @example
 * import { createDomain } from 'kds';
 *
 * const domain = createDomain();
 * const total = await domain.run({ exclusive: 'account 1', shared: 'rates' }, () => 42);
 * console.log(total);
 */
export function createDomain(options: DomainOptions = {}): SyncDomain {
  checkIsObject(options);
  const { carryHolding = false, holdWarningMs, onHoldWarning = reportAsWarning, label } = options;
  if (typeof carryHolding !== 'boolean') {
    throw new TypeError(`carryHolding is a boolean, not ${describe(carryHolding)}`);
  }
  checkFunction(onHoldWarning, 'onHoldWarning');
  if (label !== undefined) checkLabel(label);
  const host = new ProcessHost(label);
  if (carryHolding) host.carried = new CarriedHolding();
  if (holdWarningMs !== undefined) {
    checkTimeout(holdWarningMs, 'holdWarningMs');
    host.watchdog = new HoldWatchdog(host, holdWarningMs, onHoldWarning);
  }
  return new ProcessSession(host, undefined, label);
}
