/** A backend for the suite: a way to open it, and its capabilities. */

import type { Capability, Domain, SyncDomain } from '../src/api/domain.ts';

/**
 * A backend for the suite: a way to open it, and its capabilities.
 *
 * @since 0.2.0
 */
export interface ConformanceBackend {
  /** Used in the names of the tests. */
  readonly name: string;
  /** The capabilities of its domains. Tests of other capabilities are skipped by name. */
  readonly capabilities: readonly Capability[];
  /** Whether its domains are of type SyncDomain. */
  readonly sync: boolean;
  /**
   * Whether a call runs the callbacks of its event loop that it grants: `direct` ones before it
   * returns, and `queued` ones are due by then. False (default) if grants arrive as messages.
   */
  readonly direct?: boolean;
  /**
   * Whether {@link OpenBackend.connect} returns another client of the same state. Default false.
   */
  readonly connects?: boolean;
  /**
   * Length of chains of callbacks; default 20,000, which is deeper than a stack. Fewer suffice
   * where each callback is a message.
   */
  readonly chainLength?: number;
  /** Depth of nested sessions; default 20,000. */
  readonly sessionDepth?: number;
  /** Whether its grants have an inner domain, for {@link Grant.run}. Default true. */
  readonly nested?: boolean;
  /** Number of runs of random operations; default 200. */
  readonly randomRunCount?: number;
  /**
   * Opens an empty state of its own, with a domain. Called for every test.
   *
   * @waits Resolves when the domain can be used.
   */
  open(): Promise<OpenBackend>;
}

/**
 * A state that is open for one test.
 *
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 * import type { OpenBackend } from 'kds/conformance';
 *
 * const domain = createDomain();
 * const opened: OpenBackend = { domain, close: () => domain.close() };
 * await opened.close();
 * ```
 * @since 0.2.0
 */
export interface OpenBackend {
  /** A domain of the state; a SyncDomain if the backend is `sync`. */
  readonly domain: Domain | SyncDomain;
  /**
   * Opens another client of the same state, as from another thread, process or machine.
   *
   * @waits Resolves when the client can be used.
   */
  connect?(): Promise<Domain>;
  /**
   * Ends the state, whether the domain was closed or not.
   *
   * @waits Resolves when all of it has ended.
   */
  close(): Promise<void>;
}

/**
 * A feature that a test needs and that not every backend has.
 *
 * @since 0.1.0
 */
export type Need = Capability | 'sync' | 'direct' | 'connect' | 'nested';

export function offers(backend: ConformanceBackend, need: Need): boolean {
  if (need === 'sync') return backend.sync;
  if (need === 'direct') return backend.direct === true;
  if (need === 'connect') return backend.connects === true;
  if (need === 'nested') return backend.nested !== false;
  return backend.capabilities.includes(need);
}
