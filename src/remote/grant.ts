/**
 * A grant as its client knows it. The client keeps exactly what it holds, so all that can be done
 * to a grant is checked here, and then told to whoever keeps the state, which cannot fail; and
 * should that one forget, what is held can be claimed anew.
 */

import { type GrantLostEvent, watched } from '../api/events.ts';
import type { Grant } from '../api/grant.ts';
import type { RequestKey } from '../api/outer-grants.ts';
import { partNotHeld } from '../api/refusals.ts';
import type { ResourceRef } from '../api/sets.ts';
import type { Deliverable } from '../runtime/delivery.ts';
import type { RemoteLink } from './backend.ts';
import { checkOnRead } from './checked-signal.ts';
import { noteLoss, noteRelease, noteWeakening } from './event-notes.ts';
import { lostError } from './lost-error.ts';
import type { RemoteRequest } from './request.ts';
import type { RemoteRef, RemoteSet } from './resources.ts';
import type { RemoteSession } from './session.ts';

const none: readonly string[] = Object.freeze([]);

/** What is told of a grant when it is given. */
export interface Granted {
  readonly token: number;
  readonly recovered?: readonly string[];
  readonly ignored?: readonly string[];
}

export class RemoteGrant implements Grant, Deliverable {
  /** @internal Of the request that it was. */
  readonly id: number;
  /** @internal */
  readonly scope: RemoteSession;
  /** @internal */
  readonly label: string | undefined;
  /** @internal When this client heard of it: ms since 1970. */
  readonly sinceMs = Date.now();
  readonly token: number;
  readonly recovered: readonly string[];
  readonly ignored: readonly string[];
  #set: RemoteSet;
  #state: 'held' | 'over' | 'lost' = 'held';
  #reason: unknown;
  #controller: AbortController | undefined;

  constructor(
    { id, scope, terms }: RemoteRequest,
    { token, recovered = none, ignored = none }: Granted,
  ) {
    this.id = id;
    this.scope = scope;
    this.label = terms.label;
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

  /** @internal Taken away before its holder has let go. */
  get isLost(): boolean {
    return this.#state === 'lost';
  }

  /** @internal Also false for a proxy of a grant. */
  static isGrant(value: unknown): value is RemoteGrant {
    return typeof value === 'object' && value !== null && #state in value;
  }

  /** @internal By which any client of the domain finds it; undefined: by none. */
  get key(): RequestKey | undefined {
    return this.#link.keyOf(this);
  }

  /** @internal What is left of it. */
  get set(): RemoteSet {
    return this.#set;
  }

  /** Done when it returns, as far as this client's further requests go. */
  release(part?: ResourceRef | readonly ResourceRef[]): void | Promise<void> {
    if (part === undefined) {
      if (!this.#end()) return;
      if (watched.isWatched) noteRelease(this, false);
      return this.#link.release(this);
    }
    const chosen = this.#choose(part);
    if (chosen.size === 0) return;
    const { exclusive = [], shared = [] } = this.#set;
    const isLeft = (ref: RemoteRef): boolean => !chosen.has(ref);
    this.#set = { exclusive: exclusive.filter(isLeft), shared: shared.filter(isLeft) };
    const { exclusive: left, shared: leftShared } = this.#set;
    const isOver = left?.length === 0 && leftShared?.length === 0 && this.#end();
    if (watched.isWatched) {
      if (isOver) noteRelease(this, false);
      else noteWeakening(this);
    }
    return this.#link.release(this, [...chosen]);
  }

  downgrade(part?: ResourceRef | readonly ResourceRef[]): void | Promise<void> {
    const chosen = part === undefined ? this.#all() : this.#choose(part);
    if (chosen.size === 0) return;
    const { exclusive = [], shared = [] } = this.#set;
    this.#set = {
      exclusive: exclusive.filter((ref) => !chosen.has(ref)),
      shared: [...shared, ...exclusive.filter((ref) => chosen.has(ref))],
    };
    if (watched.isWatched) noteWeakening(this);
    return this.#link.downgrade(this, part === undefined ? undefined : [...chosen]);
  }

  abandon(reason?: unknown): void | Promise<void> {
    if (!this.#end()) return;
    if (watched.isWatched) noteRelease(this, true);
    const told = this.#link.abandon(this);
    this.#controller?.abort(reason ?? lostError(this.token));
    return told;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  /** For hosts: it was taken away. It is so at once, and whoever listens is told in turn. */
  lose(reason: unknown = lostError(this.token), cause: GrantLostEvent['cause'] = 'stolen'): void {
    if (this.#state !== 'held') return;
    this.#state = 'lost';
    this.#reason = reason;
    if (watched.isWatched) noteLoss(this, cause);
    this.scope.tracked.delete(this);
    this.#link.over(this);
    this.#link.delivery.direct(this);
  }

  /** @internal */
  deliver(): void {
    this.#controller?.abort(this.#reason);
  }

  get #link(): RemoteLink {
    return this.scope.link;
  }

  /** If the lease is over, or the grant lost otherwise, its signal has aborted on return. */
  #checkLease(): void {
    if (this.#state === 'held') this.#link.checkLease();
    if (this.#state === 'lost') this.#controller?.abort(this.#reason);
  }

  /** False if it had ended before. */
  #end(): boolean {
    this.#checkLease();
    if (this.#state !== 'held') return false;
    this.#state = 'over';
    this.scope.tracked.delete(this);
    this.#link.over(this);
    return true;
  }

  #all(): ReadonlySet<RemoteRef> {
    this.#checkHeld();
    const { exclusive = [], shared = [] } = this.#set;
    return new Set([...exclusive, ...shared]);
  }

  #choose(part: ResourceRef | readonly ResourceRef[]): ReadonlySet<RemoteRef> {
    // First, as it runs code of the caller's, which may change what is held.
    const chosen = new Set(this.#link.resources.refsOf(part));
    const held = this.#all();
    for (const ref of chosen) {
      if (!held.has(ref)) throw partNotHeld(this.token);
    }
    return chosen;
  }

  #checkHeld(): void {
    this.#checkLease();
    if (this.#state === 'lost') throw this.#reason;
    if (this.#state === 'over') throw lostError(this.token, 'was released before');
  }
}
