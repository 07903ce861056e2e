/**
 * A grant as its client knows it. The client keeps exactly what it holds, so every operation on a
 * grant is checked here and then sent to the backend, where it cannot fail. A backend that loses
 * its state is given it back from what is kept here.
 */

import { eventFlags } from '../api/events.ts';
import type { Grant } from '../api/grant.ts';
import { downgraded } from '../api/mode.ts';
import type { AcquireOptions } from '../api/options.ts';
import type { RequestKey } from '../api/outer-grants.ts';
import { partNotHeld } from '../api/refusals.ts';
import type { AcceptHandle, PreparedSet, ResourceRef, SetSpec } from '../api/sets.ts';
import { openInner } from '../backends/process/inner-domain.ts';
import type { Deliverable } from '../runtime/delivery.ts';
import {
  endInner,
  type InnerDomain,
  type OuterGrant,
  type RunFunction,
  runWithin,
  type SetLists,
  weakenInner,
} from '../session/inner-domain.ts';
import { checkOnRead } from './checked-signal.ts';
import { grantEvents } from './events.ts';
import { lostError } from './lost-error.ts';
import type { Granted } from './protocol.ts';
import { nameOf, type RemoteRef, type RemoteSet } from './resources.ts';
import type { RemoteScope, ScopeBackend } from './scope.ts';

const none: readonly string[] = Object.freeze([]);

/** The request that is granted. */
interface GrantedRequest {
  readonly id: number;
  readonly scope: RemoteScope;
  readonly terms: { readonly label: string | undefined; readonly set: RemoteSet };
}

export class RemoteGrant implements Grant, OuterGrant, Deliverable {
  /** @internal Also of its request. */
  readonly id: number;
  /** @internal */
  readonly scope: RemoteScope;
  /** @internal */
  readonly label: string | undefined;
  /** @internal When this client received it: ms since 1970. */
  readonly sinceMs: number;
  readonly token: number;
  readonly recovered: readonly string[];
  readonly ignored: readonly string[];
  #set: RemoteSet;
  #state: 'held' | 'released' | 'abandoned' | 'lost' = 'held';
  /** Why its signal aborts, once it is abandoned or lost. */
  #reason: unknown;
  #controller: AbortController | undefined;
  #inner: InnerDomain | undefined;

  constructor(
    { id, scope, terms }: GrantedRequest,
    { token, recovered = none, ignored = none }: Granted,
  ) {
    this.id = id;
    this.scope = scope;
    this.label = terms.label;
    this.sinceMs = scope.backend.clock.epochMs();
    this.#set = terms.set;
    this.token = token;
    this.recovered = recovered;
    this.ignored = ignored;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      checkOnRead(this.#controller.signal, () => this.#checkLease());
    }
    this.#checkLease();
    return this.#controller.signal;
  }

  get isHeld(): boolean {
    this.#checkLease();
    return this.#state === 'held';
  }

  /** @internal Lost before its holder has released it. */
  get isLost(): boolean {
    return this.#state === 'lost';
  }

  /** @internal Also false for a proxy of a grant. */
  static isGrant(value: unknown): value is RemoteGrant {
    return typeof value === 'object' && value !== null && #state in value;
  }

  /** @internal By which any client of the domain finds it, where the backend has such keys. */
  get key(): RequestKey | undefined {
    return this.#backend.keyOf(this);
  }

  /** @internal What is left of it. */
  get set(): RemoteSet {
    return this.#set;
  }

  /** Done when it returns, as far as this client's further requests go. */
  release(part?: ResourceRef | readonly ResourceRef[]): void | Promise<void> {
    if (part === undefined) return this.#releaseAll();
    const chosen = this.#choose(part);
    if (chosen.size === 0) return;
    this.#set = this.#set.filter(({ resource }) => !chosen.has(resource));
    // With its last part the grant ends.
    if (this.#set.length === 0) return this.#releaseAll();
    if (eventFlags.hasSubscribers) grantEvents(this).weakened(this.token);
    const done = this.#backend.send({ do: 'release', id: this.id, part: [...chosen] });
    weakenInner(this, this.#inner);
    return done;
  }

  #releaseAll(): void | Promise<void> {
    if (!this.#end('released')) return;
    if (eventFlags.hasSubscribers) grantEvents(this).released(this.token, false);
    const done = this.#backend.send({ do: 'release', id: this.id });
    this.#endInner();
    return done;
  }

  downgrade(part?: ResourceRef | readonly ResourceRef[]): void | Promise<void> {
    const chosen = part === undefined ? this.#all() : this.#choose(part);
    if (chosen.size === 0) return;
    this.#set = downgraded(this.#set, (ref) => chosen.has(ref));
    if (eventFlags.hasSubscribers) grantEvents(this).weakened(this.token);
    const { id } = this;
    const done = this.#backend.send({
      do: 'downgrade',
      id,
      ...(part !== undefined && { part: [...chosen] }),
    });
    weakenInner(this, this.#inner);
    return done;
  }

  run<R>(
    set: SetSpec | PreparedSet,
    optionsOrFn: AcquireOptions | RunFunction<R>,
    maybeFn?: RunFunction<R>,
  ): Promise<R> {
    return runWithin(this, set, optionsOrFn, maybeFn);
  }

  /** @internal */
  get inner(): InnerDomain {
    this.#inner ??= openInner(this, this.scope.label);
    return this.#inner;
  }

  /** @internal */
  get accept(): AcceptHandle {
    return this.#backend.resources.accept;
  }

  /** @internal */
  listsOf(set: SetSpec | PreparedSet): SetLists {
    return this.#backend.resources.listsOf(set);
  }

  /** @internal Whether it holds all of a set, or more. */
  covers(set: SetSpec): boolean {
    const wanted = this.#backend.resources.read(set);
    if (!this.isHeld) return false;
    const unitsOf = new Map(this.#set.map(({ resource, units }) => [resource, units]));
    return wanted.every(
      ({ resource, units }) =>
        units <= (unitsOf.get(resource) ?? 0) && !this.ignored.includes(nameOf(resource)),
    );
  }

  abandon(reason?: unknown): void | Promise<void> {
    if (!this.#end('abandoned')) return;
    this.#reason = reason ?? lostError(this.token);
    if (eventFlags.hasSubscribers) grantEvents(this).released(this.token, true);
    const done = this.#backend.send({ do: 'abandon', id: this.id });
    this.deliver();
    return done;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  /**
   * @internal For {@link RequestTable.lose}: the grant is lost at once; `deliver` notifies the
   * listeners of its signal. False if it has ended before.
   */
  revoke(reason: unknown = lostError(this.token)): boolean {
    if (this.#state !== 'held') return false;
    this.#state = 'lost';
    this.#reason = reason;
    return true;
  }

  /** @internal */
  deliver(): void {
    this.#controller?.abort(this.#reason);
    this.#endInner();
  }

  #endInner(): void {
    const inner = this.#inner;
    this.#inner = undefined;
    endInner(this, inner);
  }

  get #backend(): ScopeBackend {
    return this.scope.backend;
  }

  /** If the lease is over, or the grant lost or abandoned, its signal has aborted on return. */
  #checkLease(): void {
    if (this.#state === 'held') this.#backend.checkLease();
    if (this.#state === 'lost' || this.#state === 'abandoned') this.deliver();
  }

  /** False if it had ended before. */
  #end(state: 'released' | 'abandoned'): boolean {
    this.#checkLease();
    if (this.#state !== 'held') return false;
    this.#state = state;
    return true;
  }

  #all(): ReadonlySet<RemoteRef> {
    this.checkHeld();
    return new Set(this.#set.map(({ resource }) => resource));
  }

  #choose(part: ResourceRef | readonly ResourceRef[]): ReadonlySet<RemoteRef> {
    // First, as it runs code of the caller, which may change what is held.
    const chosen = new Set(this.#backend.resources.refsOf(part));
    const held = this.#all();
    for (const ref of chosen) {
      if (!held.has(ref)) throw partNotHeld(this.token);
    }
    return chosen;
  }

  /** @internal */
  checkHeld(): void {
    this.#checkLease();
    if (this.#state === 'lost') throw this.#reason;
    if (this.#state !== 'held') throw lostError(this.token, 'was released before');
  }
}
