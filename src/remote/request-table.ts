/**
 * The pending requests and held grants of one client, each in the order in which it was made.
 *
 * A request is in `pending` until it ends, which happens once (I7): it is granted, settled, refused
 * or cancelled. The table then stops its timer, forgets it, and reports the end to the request. A
 * grant is in `held` until it is released or lost. Both keep the key by which the backend knows
 * them, so a backend finds there what to ask again, and to claim again, after a reconnect.
 */

import { type GrantLostEvent, watched } from '../api/events.ts';
import type { AbortListeners } from '../runtime/abort-listeners.ts';
import type { Delivery } from '../runtime/delivery.ts';
import { emitEnd, emitGrant, emitLoss, emitRefusal } from './events.ts';
import type { RemoteGrant } from './grant.ts';
import type { RemoteRequest } from './request.ts';

/** A request that waits for the backend's answer. */
export interface PendingRequest<K = unknown> {
  readonly request: RemoteRequest;
  /** By which the backend knows it; undefined until it is sent. */
  key: K | undefined;
  /** Stops its timer, and whatever else waits with it. Called once, when it ends. */
  dispose: () => void;
}

export interface HeldGrant<K = unknown> {
  readonly grant: RemoteGrant;
  readonly key: K;
}

export type KeyOf<P extends PendingRequest> = P extends PendingRequest<infer K> ? K : never;

export class RequestTable<P extends PendingRequest> {
  readonly #pending = new Map<number, P>();
  readonly #held = new Map<number, HeldGrant<KeyOf<P>>>();
  readonly #delivery: Delivery;
  readonly #signals: AbortListeners<RemoteRequest>;
  readonly #onPendingCount: (count: number) => void;

  /** `onPendingCount`: called when the first request begins to wait, and when the last one ends. */
  constructor(
    delivery: Delivery,
    signals: AbortListeners<RemoteRequest>,
    onPendingCount: (count: number) => void,
  ) {
    this.#delivery = delivery;
    this.#signals = signals;
    this.#onPendingCount = onPendingCount;
  }

  get pendingCount(): number {
    return this.#pending.size;
  }

  get heldCount(): number {
    return this.#held.size;
  }

  /** A copy: requests may end while it is walked. */
  get pending(): readonly P[] {
    return [...this.#pending.values()];
  }

  /** A copy: grants may end while it is walked. */
  get held(): readonly HeldGrant<KeyOf<P>>[] {
    return [...this.#held.values()];
  }

  pendingOf(id: number): P | undefined {
    return this.#pending.get(id);
  }

  heldOf(id: number): HeldGrant<KeyOf<P>> | undefined {
    return this.#held.get(id);
  }

  isPending({ id }: RemoteRequest): boolean {
    return this.#pending.has(id);
  }

  /** A request begins to wait. */
  add(pending: P): void {
    const { request } = pending;
    this.#pending.set(request.id, pending);
    request.scope.tracked.add(request);
    if (this.#pending.size === 1) this.#onPendingCount(1);
  }

  /** A request waits no more, and leaves nothing behind here. False if it did not wait. */
  end(request: RemoteRequest): boolean {
    const pending = this.#pending.get(request.id);
    if (pending === undefined) return false;
    this.#pending.delete(request.id);
    pending.dispose();
    const { scope, terms } = request;
    scope.tracked.delete(request);
    if (terms.signal !== undefined) this.#signals.remove(terms.signal, request);
    request.endWaiting();
    if (this.#pending.size === 0) this.#onPendingCount(0);
    return true;
  }

  /** A pending request has what it wants. */
  grant({ request, key }: P, grant: RemoteGrant): void {
    this.end(request);
    this.#held.set(grant.id, { grant, key: key as KeyOf<P> });
    grant.scope.tracked.add(grant);
    if (watched.isWatched) emitGrant(request, grant);
    request.reportGrant(grant);
  }

  /** A try could not have its set, or an observer has no conflict left. */
  settle(request: RemoteRequest): void {
    if (!this.end(request)) return;
    if (watched.isWatched) emitEnd(request, 'denied');
    request.reportSettled();
  }

  refuse(request: RemoteRequest, reason: unknown): void {
    if (!this.end(request)) return;
    if (watched.isWatched) emitRefusal(request, reason);
    request.reportRefusal(reason);
  }

  refuseAll(reason: unknown): void {
    this.#delivery.asOne(() => {
      for (const { request } of this.pending) this.refuse(request, reason);
    });
  }

  /** A grant was taken away: at once, and its holder is notified by the delivery. */
  lose(grant: RemoteGrant, reason?: unknown, cause: GrantLostEvent['cause'] = 'stolen'): void {
    if (!grant.revoke(reason)) return;
    if (watched.isWatched) emitLoss(grant, cause);
    this.drop(grant);
    this.#delivery.direct(grant);
  }

  /** A grant is held no more. */
  drop(grant: RemoteGrant): void {
    this.#held.delete(grant.id);
    grant.scope.tracked.delete(grant);
  }
}
