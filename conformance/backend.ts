/** A backend for the suite: a way to open it, and its capabilities. */

import type { Capability, Domain, SyncDomain } from '../src/api/domain.ts';

export interface ConformanceBackend {
  readonly name: string;
  /** The capabilities of its domains. Tests of other capabilities are skipped by name. */
  readonly capabilities: readonly Capability[];
  /** Whether its domains are of type SyncDomain. */
  readonly sync: boolean;
  /**
   * Whether a call runs the callbacks of its event loop that it grants: `direct` ones before it
   * returns, and `queued` ones are due by then. False if grants arrive as messages.
   */
  readonly direct?: boolean;
  /** Whether {@link OpenBackend.connect} returns another client of the same state. */
  readonly connects?: boolean;
  /**
   * Length of chains of callbacks; default 20,000, which is deeper than a stack. Fewer suffice
   * where each callback is a message.
   */
  readonly chainLength?: number;
  /** Depth of nested sessions; default 20,000. */
  readonly sessionDepth?: number;
  /** Number of runs of random operations; default 200. */
  readonly randomRunCount?: number;
  /** Opens an empty state of its own, with a domain. Called for every test. */
  open(): Promise<OpenBackend>;
}

export interface OpenBackend {
  readonly domain: Domain | SyncDomain;
  /** Another client of the same state, as from another thread, process or machine. */
  connect?(): Promise<Domain>;
  /** Ends the state, whether the domain was closed or not. */
  close(): Promise<void>;
}

/** A feature that a test needs and that not every backend has. */
export type Need = Capability | 'sync' | 'direct' | 'connect';

export function offers(backend: ConformanceBackend, need: Need): boolean {
  if (need === 'sync') return backend.sync;
  if (need === 'direct') return backend.direct === true;
  if (need === 'connect') return backend.connects === true;
  return backend.capabilities.includes(need);
}
