/** What the sessions of a domain ask of it. */

import type { Capability } from '../api/domain.ts';
import type { Grant, Waiter } from '../api/grant.ts';
import type { RequestOptions } from '../api/options.ts';
import type { PreparedSet, Resource, ResourceRef, SetSpec } from '../api/sets.ts';
import type { Snapshot } from '../api/snapshot.ts';
import type { Capacity, ReadCapacity } from '../api/units.ts';
import type { CallbackTerms, CallbackTermsReader } from './callback-report.ts';

/** A grant as its own session has it. */
export interface OwnGrant extends Grant {
  /** Lost before its holder has released it. */
  readonly isLost: boolean;
}

/** The grants held around a call: each `run` passes its own to the requests within it. */
interface HeldGrants<G> {
  readonly grants: readonly G[];
  run<R>(grant: G, fn: () => R): R;
}

/**
 * `G`: its grants. `Q`: a set as it was read. `C`: the scope of a session.
 *
 * Nothing of the caller's is left to be read. A request throws, or rejects with, what it is refused
 * for; a closed scope is one of the reasons.
 */
export interface RequestPort<G extends OwnGrant, Q, C, S extends Snapshot> {
  readonly capabilities: ReadonlySet<Capability>;
  readonly callbacks: CallbackTermsReader;
  readonly resources: {
    /** Reads a set once and completely. @throws InvalidSetError, LimitError */
    read(set: SetSpec | PreparedSet): Q;
    prepare(set: SetSpec): PreparedSet;
    handle(name: string | undefined): Resource;
  };
  /** Undefined if nested requests know nothing of each other. */
  readonly heldContext: HeldGrants<G> | undefined;
  /** Whether a value is a grant of this domain, and not a proxy of one. */
  isOwn(grant: unknown): grant is G;
  acquire(scope: C, set: Q, terms: RequestOptions, held: readonly G[]): Promise<G>;
  tryAcquire(scope: C, set: Q, label: string | undefined): Promise<G | null>;
  enqueue(
    scope: C,
    set: Q,
    terms: RequestOptions,
    held: readonly G[],
    callback: CallbackTerms,
    onGrant: (grant: G) => void,
  ): Waiter;
  settled(scope: C, set: Q, terms: RequestOptions): Promise<void>;
  query(): Promise<S>;
  /** Declares a capacity. */
  setCapacity(scope: C, ref: ResourceRef, capacity: ReadCapacity): void | Promise<void>;
  capacity(ref: ResourceRef): Capacity | undefined | Promise<Capacity | undefined>;
  close(scope: C): Promise<void>;
}
