/** Options of a local domain. */

import { checkFunction, checkIsObject, checkLabel, checkTimeout } from '../api/options.ts';
import { describe } from '../api/sets.ts';
import { type CapacitySpec, type ReadCapacity, readCapacities } from '../api/units.ts';
import type { OpenInner } from './grant.ts';
import { HeldContext } from './held-context.ts';
import { type HoldWarning, HoldWatchdog, reportAsWarning } from './hold-watchdog.ts';
import type { Operations } from './operations.ts';
import { ReentrantRequests } from './reentrant-requests.ts';
import { LocalRequests } from './requests.ts';

/**
 * Selects how requests inside the function of a `run` relate to its grant.
 *
 * @since 0.2.0
 */
export type NestedPolicy =
  /** Not at all. */
  | 'independent'
  /** Each declares that the grant is kept meanwhile, as by `holding`. */
  | 'checked'
  /**
   * As 'checked'; and what a grant around a request covers is requested within that grant, as by
   * {@link Grant.run}.
   */
  | 'reentrant';

/**
 * Options of a domain whose state the calling thread can reach: of {@link createDomain} and
 * `openThreadsDomain`.
 *
 * @since 0.1.0
 */
export interface DomainOptions {
  /**
   * How requests inside the function of a `run` relate to its grant. Default 'independent'. With
   * 'checked', one that would deadlock is refused with {@link DeadlockError}. With 'reentrant',
   * also, one whose set the grant covers queues within that grant. Both cost an AsyncLocalStorage.
   *
   * @since 0.2.0
   */
  readonly nested?: NestedPolicy | undefined;
  /**
   * Time, ms, after which a grant that is still held is reported, once: from 0. It is not revoked.
   * Default: no reports.
   */
  readonly holdWarningMs?: number | undefined;
  /** Receives these reports. Default: a warning of the process, or the console of a browser. */
  readonly onHoldWarning?: ((warning: HoldWarning) => void) | undefined;
  /**
   * Text in events, and in snapshots of sets that go through no session: at most 1,024 code units.
   * Default: none.
   */
  readonly label?: string | undefined;
  /**
   * Capacities that are declared as the domain is opened, by name, as by
   * {@link Domain.setCapacity}. Default: none.
   *
   * @since 0.2.0
   */
  readonly capacity?: Readonly<Record<string, CapacitySpec>> | undefined;
}

const policies: readonly NestedPolicy[] = ['independent', 'checked', 'reentrant'];

/** Options that were read: nothing of the caller's is left in them. */
export type ReadDomainOptions = Omit<DomainOptions, 'capacity'> & {
  readonly capacity: ReadonlyMap<string, ReadCapacity>;
};

/** @throws TypeError, RangeError, LimitError */
export function readDomainOptions(options: DomainOptions): ReadDomainOptions {
  checkIsObject(options);
  const { nested, holdWarningMs, onHoldWarning, label, capacity } = options;
  if (nested !== undefined && !policies.includes(nested)) {
    throw new TypeError(`nested is '${policies.join("', '")}', not ${describe(nested)}`);
  }
  if (onHoldWarning !== undefined) checkFunction(onHoldWarning, 'onHoldWarning');
  if (holdWarningMs !== undefined) checkTimeout(holdWarningMs, 'holdWarningMs');
  if (label !== undefined) checkLabel(label);
  return { nested, holdWarningMs, onHoldWarning, label, capacity: readCapacities(capacity) };
}

/** @throws UnsupportedError for a `nested` that needs a missing AsyncLocalStorage. */
export function applyOptions(
  backend: Operations,
  options: ReadDomainOptions,
  openInner: OpenInner,
): void {
  backend.openInner = openInner;
  const { nested, holdWarningMs, onHoldWarning = reportAsWarning } = options;
  if (nested === 'checked' || nested === 'reentrant') {
    backend.heldContext = HeldContext.open(backend, nested);
  }
  if (holdWarningMs !== undefined) {
    backend.notices.watchdog = new HoldWatchdog(backend, holdWarningMs, onHoldWarning);
  }
}

export function requestsOf(backend: Operations, { nested }: ReadDomainOptions): LocalRequests {
  return nested === 'reentrant' ? new ReentrantRequests(backend) : new LocalRequests(backend);
}

/**
 * Declares the capacities among the options.
 *
 * @throws CapacityError, LimitError, UnavailableError
 */
export function declareCapacities(
  requests: LocalRequests,
  { capacity }: Pick<ReadDomainOptions, 'capacity'>,
): void {
  for (const [name, each] of capacity) requests.declareCapacity(name, each);
}
