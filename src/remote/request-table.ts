/**
 * The pending requests and held grants of one client, each in the order in which it was made. A
 * backend reports its events here.
 *
 * A request is in `pending` until it ends, which happens once (I7): it is granted, settled, refused
 * or cancelled. The table then stops its timer, forgets it, and reports the end to the request. A
 * grant is in `held` until it is released or lost. Both keep the key by which the backend knows
 * them, so a backend finds there what to ask again, and to claim again, after a reconnect.
 */

import { eventFlags, type GrantLostEvent, outcomeOf } from '../api/events.ts';
import { AbortListeners } from '../runtime/abort-listeners.ts';
import { Delivery } from '../runtime/delivery.ts';
import { throwUncaught } from '../runtime/uncaught.ts';
import { emitGranted, grantEvents, requestEvents } from './events.ts';
import { RemoteGrant } from './grant.ts';
import type { BackendEvent, Granted, Operation } from './protocol.ts';
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

export interface RequestTableOptions {
  send(operation: Operation): unknown;
  /** Whether the process is to stay alive for pending requests. */
  keepAlive?(isNeeded: boolean): void;
  /** Of a backend whose grants have more to report than most. */
  createGrant?(request: RemoteRequest, granted: Granted): RemoteGrant;
}

export class RequestTable<P extends PendingRequest> {
  /** Reports to callers; a backend runs the direct reports when it has received something. */
  readonly delivery = new Delivery();
  readonly #options: RequestTableOptions;
  readonly #pending = new Map<number, P>();
  readonly #held = new Map<number, HeldGrant<KeyOf<P>>>();
  readonly #signals = new AbortListeners<RemoteRequest>((waiting, reason) => {
    this.withdraw(
      [...waiting].sort((a, b) => a.id - b.id),
      reason,
    );
  });
  #idLast = 0;

  constructor(options: RequestTableOptions) {
    this.#options = options;
  }

  /** For requests, and what else a backend asks for: it grows. */
  nextId(): number {
    this.#idLast++;
    return this.#idLast;
  }

  get pendingCount(): number {
    return this.#pending.size;
  }

  get heldCount(): number {
    return this.#held.size;
  }

  /** The present ones, not a copy: one that ends during the walk is not reached any more. */
  get pending(): Iterable<P> {
    return this.#pending.values();
  }

  /** As {@link pending}. */
  get held(): Iterable<HeldGrant<KeyOf<P>>> {
    return this.#held.values();
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

  /**
   * A request begins to wait. False if it has ended by the time that its signal has a listener.
   *
   * @throws what a signal throws that takes no listener.
   */
  add(pending: P): boolean {
    const { request } = pending;
    this.#pending.set(request.id, pending);
    request.scope.tracked?.add(request);
    if (this.#pending.size === 1) this.#options.keepAlive?.(true);
    const { signal } = request.terms;
    return signal === undefined || this.#follow(signal, request);
  }

  #follow(signal: AbortSignal, request: RemoteRequest): boolean {
    let isWaiting: boolean;
    try {
      isWaiting = this.#signals.add(signal, request);
    } catch (error) {
      if (this.end(request)) throw error;
      throwUncaught(error);
      return false;
    }
    if (isWaiting) return this.isPending(request);
    // Its start has not been published, so its end is not either.
    if (this.end(request)) request.report.refused(signal.reason);
    return false;
  }

  /** A request waits no more, and leaves nothing behind here. False if it did not wait. */
  end(request: RemoteRequest): boolean {
    const pending = this.#pending.get(request.id);
    if (pending === undefined) return false;
    this.#pending.delete(request.id);
    pending.dispose();
    const { scope, terms } = request;
    scope.tracked?.delete(request);
    if (terms.signal !== undefined) this.#signals.remove(terms.signal, request);
    request.report.endWaiting();
    if (this.#pending.size === 0) this.#options.keepAlive?.(false);
    return true;
  }

  /** An answer to a request, or what has become of a grant; of one that is over it is ignored. */
  receive(event: BackendEvent): void {
    if (event.is === 'lost') {
      const held = this.#held.get(event.id);
      if (held !== undefined) this.lose(held.grant, event.reason, event.cause);
      return;
    }
    const pending = this.#pending.get(event.id);
    if (pending === undefined) return;
    const { request } = pending;
    if (event.is === 'granted') this.#grant(pending, event);
    else if (event.is === 'waiting') {
      if (eventFlags.hasSubscribers) requestEvents(request)?.missed();
    } else if (event.is === 'refused') this.refuse(request, event.reason);
    else this.endUngranted(request);
  }

  #grant({ request, key }: P, granted: Granted): void {
    const grant =
      this.#options.createGrant?.(request, granted) ?? new RemoteGrant(request, granted);
    this.end(request);
    this.#held.set(grant.id, { grant, key: key as KeyOf<P> });
    grant.scope.tracked?.add(grant);
    if (eventFlags.hasSubscribers) emitGranted(grant, request);
    request.report.granted(grant);
  }

  /** A try could not have its set, or an observer has no conflict left. */
  endUngranted(request: RemoteRequest): void {
    if (!this.end(request)) return;
    if (eventFlags.hasSubscribers) requestEvents(request)?.ended('denied');
    request.report.settled();
  }

  refuse(request: RemoteRequest, reason: unknown): void {
    if (!this.end(request)) return;
    if (eventFlags.hasSubscribers) requestEvents(request)?.ended(outcomeOf(reason));
    request.report.refused(reason);
  }

  refuseAll(reason: unknown): void {
    this.delivery.asOne(() => {
      for (const { request } of this.pending) this.refuse(request, reason);
    });
  }

  /** Those of the requests that wait are cancelled at the backend, and refused for `reason`. */
  withdraw(requests: readonly RemoteRequest[], reason: unknown): void {
    const waiting = requests.filter((request) => this.isPending(request));
    if (waiting.length === 0) return;
    this.#options.send({ do: 'cancel', ids: waiting.map(({ id }) => id) });
    for (const request of waiting) this.refuse(request, reason);
  }

  /** A grant was taken away: at once, and its holder is notified by the delivery. */
  lose(grant: RemoteGrant, reason?: unknown, cause: GrantLostEvent['cause'] = 'stolen'): void {
    if (!grant.revoke(reason)) return;
    if (eventFlags.hasSubscribers) grantEvents(grant).lost(grant.token, cause);
    this.drop(grant.id);
    this.delivery.direct(grant);
  }

  /** A grant is held no more. */
  drop(id: number): void {
    const held = this.#held.get(id);
    if (held === undefined) return;
    this.#held.delete(id);
    held.grant.scope.tracked?.delete(held.grant);
  }
}
