/** What the suite asks of a host: a way to open it, and what it declares to lack. */

import type { Capability, Domain, SyncDomain } from '../src/api/domain.ts';

export interface ConformanceHost {
  readonly name: string;
  /** As its domains declare them. The tests of all others are skipped by name. */
  readonly capabilities: readonly Capability[];
  /** Whether its domains are of type SyncDomain. */
  readonly sync: boolean;
  /**
   * Whether a call tells those of its own event loop whom it grants: `direct` ones before it
   * returns, and `queued` ones are due by then. Not so where word comes from elsewhere.
   */
  readonly direct?: boolean;
  /** Whether `connect` of what is opened gives another client of the same state. */
  readonly connects?: boolean;
  /**
   * How many callbacks follow one another in a chain; 20,000 unless told, which is more than a
   * stack takes. Where each is a trip to somewhere else, fewer show as much.
   */
  readonly chainLength?: number;
  /** How deep sessions stand within one another; 20,000 unless told. */
  readonly sessionDepth?: number;
  /** How many runs of random operations it takes part in; 200 unless told. */
  readonly randomRunCount?: number;
  /** A state of its own, with nothing in it, and a domain on it. Called for every test. */
  open(): Promise<OpenHost>;
}

export interface OpenHost {
  readonly domain: Domain | SyncDomain;
  /** Another client of the same state, as from another thread, process or machine. */
  connect?(): Promise<Domain>;
  /** Ends the state, whether or not the domain has been closed. */
  close(): Promise<void>;
}

/** What a test needs besides what every host offers. */
export type Need = Capability | 'sync' | 'direct' | 'connect';

export function offers(host: ConformanceHost, need: Need): boolean {
  if (need === 'sync') return host.sync;
  if (need === 'direct') return host.direct === true;
  if (need === 'connect') return host.connects === true;
  return host.capabilities.includes(need);
}
