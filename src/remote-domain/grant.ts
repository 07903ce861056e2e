/**
 * A grant as its client knows it. The client keeps exactly what it holds, so all that can be done
 * to a grant is checked here, told to the broker in one frame, and waits for nothing; and should
 * the broker die, what is held can be claimed from the next one.
 */

import type { Deliverable } from '../../domain/callback.ts';
import { type GrantLostError, InvalidSetError } from '../../domain/errors.ts';
import type { Grant } from '../../domain/grant.ts';
import type { ResourceRef } from '../../domain/sets.ts';
import type { Link } from './link.ts';
import { lostError } from './lost-error.ts';
import type { Reclaim, RefSent, SetSent } from './messages.ts';
import type { BrokerSession } from './session.ts';

const none: readonly string[] = Object.freeze([]);

interface Granted {
  readonly token: number;
  readonly recovered?: readonly string[];
  readonly ignored?: readonly string[];
}

export class BrokerGrant implements Grant, Deliverable {
  /** @internal Of the request that it was. */
  readonly id: number;
  /** @internal */
  readonly scope: BrokerSession;
  readonly token: number;
  readonly recovered: readonly string[];
  readonly ignored: readonly string[];
  readonly #label: string | undefined;
  readonly #sinceMs = Date.now();
  #set: SetSent;
  #state: 'held' | 'over' | 'lost' = 'held';
  #reason: unknown;
  #controller: AbortController | undefined;

  constructor(
    id: number,
    scope: BrokerSession,
    set: SetSent,
    label: string | undefined,
    { token, recovered = none, ignored = none }: Granted,
  ) {
    this.id = id;
    this.scope = scope;
    this.#set = set;
    this.#label = label;
    this.token = token;
    this.recovered = recovered;
    this.ignored = ignored;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#state === 'lost') this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** @internal Neither let go of nor taken away. */
  get isHeld(): boolean {
    return this.#state === 'held';
  }

  /** Done when it returns, as far as this client's further requests go; it waits for nothing. */
  release(part?: ResourceRef | readonly ResourceRef[]): void {
    if (part === undefined) {
      if (this.#end()) this.#link.tell({ do: 'release', id: this.id });
      return;
    }
    const chosen = this.#choose(part);
    if (chosen.size === 0) return;
    const { exclusive = [], shared = [] } = this.#set;
    const isLeft = (ref: RefSent): boolean => !chosen.has(ref);
    this.#set = { exclusive: exclusive.filter(isLeft), shared: shared.filter(isLeft) };
    const { exclusive: left, shared: leftShared } = this.#set;
    if (left?.length === 0 && leftShared?.length === 0) this.#end();
    this.#link.tell({ do: 'release', id: this.id, part: [...chosen] });
  }

  downgrade(part?: ResourceRef | readonly ResourceRef[]): void {
    const { exclusive = [], shared = [] } = this.#set;
    const chosen = part === undefined ? this.#all() : this.#choose(part);
    if (chosen.size === 0) return;
    this.#set = {
      exclusive: exclusive.filter((ref) => !chosen.has(ref)),
      shared: [...shared, ...exclusive.filter((ref) => chosen.has(ref))],
    };
    const named = part === undefined ? {} : { part: [...chosen] };
    this.#link.tell({ do: 'downgrade', id: this.id, ...named });
  }

  abandon(reason?: unknown): void {
    if (!this.#end()) return;
    this.#link.tell({ do: 'abandon', id: this.id });
    this.#controller?.abort(reason ?? lostError(this.token));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
  }

  /** @internal It was taken away: it is so at once, and whoever listens is told in turn. */
  lose(reason: GrantLostError): void {
    if (this.#state !== 'held') return;
    this.#state = 'lost';
    this.#reason = reason;
    this.#link.forgetGrant(this);
    this.scope.tracked.delete(this);
    this.#link.delivery.direct(this);
  }

  /** @internal */
  deliver(): void {
    this.#controller?.abort(this.#reason);
  }

  /** @internal What a broker is told that follows the one that gave it. */
  claim(session: number): Reclaim {
    const { id, token } = this;
    const label = this.#label === undefined ? {} : { label: this.#label };
    return { do: 'reclaim', id, session, token, since: this.#sinceMs, ...label, ...this.#set };
  }

  get #link(): Link {
    return this.scope.link;
  }

  /** False if it had ended before. */
  #end(): boolean {
    if (this.#state !== 'held') return false;
    this.#state = 'over';
    this.#link.forgetGrant(this);
    this.scope.tracked.delete(this);
    return true;
  }

  #all(): ReadonlySet<RefSent> {
    this.#checkHeld();
    const { exclusive = [], shared = [] } = this.#set;
    return new Set([...exclusive, ...shared]);
  }

  #choose(part: ResourceRef | readonly ResourceRef[]): ReadonlySet<RefSent> {
    const held = this.#all();
    const chosen = new Set(this.#link.resources.sentPart(part));
    for (const ref of chosen) {
      if (held.has(ref)) continue;
      throw new InvalidSetError(
        `grant ${this.token} does not hold all of that part: nothing is done`,
      );
    }
    return chosen;
  }

  #checkHeld(): void {
    if (this.#state === 'lost') throw this.#reason;
    if (this.#state === 'over') throw lostError(this.token, 'was released before');
  }
}
