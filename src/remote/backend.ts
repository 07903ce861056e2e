/**
 * The way from a domain to the server or engine that keeps its state.
 *
 * A subclass is a codec and a connection: it sends requests (`ask`) and operations (`send`), and
 * passes on what comes back (`receive`). The rest is the same for all of them, and is here and in
 * the table of requests: a request is asked for once and ends once (I7); one that is cancelled is
 * given back if it was granted meanwhile; an operation on a grant cannot fail.
 */

import type { Capability } from '../api/domain.ts';
import { type EventDomain, watched } from '../api/events.ts';
import type { RequestKey } from '../api/outer-grants.ts';
import type { Snapshot } from '../api/snapshot.ts';
import { AbortListeners } from '../runtime/abort-listeners.ts';
import type { Clock } from '../runtime/clock.ts';
import { callersTime } from '../runtime/deadline.ts';
import { Delivery } from '../runtime/delivery.ts';
import { throwUncaught } from '../runtime/uncaught.ts';
import { emitMiss, emitStart } from './events.ts';
import { RemoteGrant } from './grant.ts';
import type { BackendEvent, Granted, Operation } from './protocol.ts';
import type { RemoteRequest } from './request.ts';
import { type PendingRequest, RequestTable } from './request-table.ts';
import { type RemoteRef, RemoteResources } from './resources.ts';
import type { RemoteSession } from './session.ts';

export abstract class RemoteBackend<
  S extends Snapshot = Snapshot,
  P extends PendingRequest = PendingRequest,
> {
  abstract readonly capabilities: ReadonlySet<Capability>;
  /** The domain, as events name it. */
  abstract readonly eventDomain: EventDomain;
  readonly clock: Clock;
  /** Reports to callers; a backend runs the direct reports when it has received something. */
  readonly delivery = new Delivery();
  readonly resources = new RemoteResources((resource) => this.closeResource(resource));
  readonly signals = new AbortListeners<RemoteRequest>((waiting, reason) => {
    this.withdraw(
      [...waiting].sort((a, b) => a.id - b.id),
      reason,
    );
  });
  readonly requests = new RequestTable<P>(this.delivery, this.signals, (count) =>
    this.keepAlive(count > 0),
  );
  #idLast = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** For requests and sessions of this client: it grows. */
  nextId(): number {
    this.#idLast++;
    return this.#idLast;
  }

  /**
   * A request begins to wait. It has ended on return if its signal has, or the code of that signal,
   * which runs here, has closed the session.
   *
   * @throws what a signal throws that takes no listener.
   */
  start(request: RemoteRequest): void {
    const pending = this.createPending(request);
    this.requests.add(pending);
    const { signal, timeoutMs } = request.terms;
    if (signal !== undefined && !this.#follow(signal, request)) return;
    if (watched.isWatched) emitStart(request);
    this.checkLease();
    if (!this.requests.isPending(request)) return;
    if (timeoutMs !== undefined && timeoutMs > 0) {
      const timeOut = (): void => this.timeOut(pending, timeoutMs);
      pending.dispose = this.clock.after(timeoutMs, timeOut, callersTime);
    }
    this.ask(pending);
  }

  /** False if the request has ended by the time that the signal has its listener. */
  #follow(signal: AbortSignal, request: RemoteRequest): boolean {
    let isWaiting: boolean;
    try {
      isWaiting = this.signals.add(signal, request);
    } catch (error) {
      if (this.requests.end(request)) throw error;
      throwUncaught(error);
      return false;
    }
    if (isWaiting) return this.requests.isPending(request);
    // Its start has not been published, so its end is not either.
    if (this.requests.end(request)) request.reportRefusal(signal.reason);
    return false;
  }

  /** A request is cancelled by its caller. False if it has ended before. */
  cancel(request: RemoteRequest): boolean {
    if (!this.requests.isPending(request)) return false;
    void this.send({ do: 'cancel', ids: [request.id] });
    return this.requests.end(request);
  }

  /** Those of the requests that wait are cancelled, and refused for `reason`. */
  protected withdraw(requests: readonly RemoteRequest[], reason: unknown): void {
    const waiting = requests.filter((request) => this.requests.isPending(request));
    if (waiting.length === 0) return;
    void this.send({ do: 'cancel', ids: waiting.map(({ id }) => id) });
    for (const request of waiting) this.requests.refuse(request, reason);
  }

  /** Of all, or of a part; what is left is in `grant.set`. A promise never rejects. */
  release(grant: RemoteGrant, part?: readonly RemoteRef[]): void | Promise<void> {
    const { id } = grant;
    const done = this.send({ do: 'release', id, ...(part !== undefined && { part }) });
    if (grant.isOver) this.requests.drop(grant);
    return done;
  }

  downgrade({ id }: RemoteGrant, part?: readonly RemoteRef[]): void | Promise<void> {
    return this.send({ do: 'downgrade', id, ...(part !== undefined && { part }) });
  }

  abandon(grant: RemoteGrant): void | Promise<void> {
    const done = this.send({ do: 'abandon', id: grant.id });
    this.requests.drop(grant);
    return done;
  }

  /**
   * Everything that went through a session, or the domain, ends here and at the other side.
   * Resolves when the other side has ended it too, or cannot be reached.
   */
  async end(session: RemoteSession<S>, left: LeftBehind, reason: unknown): Promise<void> {
    const ended = session.parent === undefined ? this.close(left) : this.endSession(session, left);
    this.delivery.asOne(() => {
      for (const request of left.requests) this.requests.refuse(request, reason);
      for (const grant of left.grants) this.requests.lose(grant, undefined, 'closed');
    });
    await ended;
  }

  /** An answer to a request, or what has become of a grant; of one that is over it is ignored. */
  protected receive(event: BackendEvent): void {
    if (event.is === 'lost') {
      const held = this.requests.heldOf(event.id);
      if (held !== undefined) this.requests.lose(held.grant, event.reason, event.cause);
      return;
    }
    const pending = this.requests.pendingOf(event.id);
    if (pending === undefined) return;
    const { request } = pending;
    if (event.is === 'granted') {
      this.requests.grant(pending, this.createGrant(request, event));
    } else if (event.is === 'waiting') {
      if (watched.isWatched) emitMiss(request);
    } else if (event.is === 'refused') this.requests.refuse(request, event.reason);
    else this.requests.settle(request);
  }

  /** A subclass may have more to report of its grants. */
  protected createGrant(request: RemoteRequest, granted: Granted): RemoteGrant {
    return new RemoteGrant(request, granted);
  }

  /**
   * Loses the grants of a lease that is over by this client's own clock, before anything else is
   * done with them: the timer that does it otherwise is late where the event loop was blocked.
   * Backends without a lease have nothing to check.
   */
  checkLease(): void {}

  /** By which other clients of the domain find a held grant, where the backend has such keys. */
  keyOf(_: RemoteGrant): RequestKey | undefined {
    return undefined;
  }

  abstract query(): Promise<S>;

  protected abstract createPending(request: RemoteRequest): P;

  /** Sends a pending request; its answer is an event. */
  protected abstract ask(pending: P): void;

  /** Sends an operation. A promise resolves when the other side has it, and never rejects. */
  protected abstract send(operation: Operation): void | Promise<void>;

  /** The time limit of a request is over. The backend refuses it, once it knows the blockers. */
  protected abstract timeOut(pending: P, timeoutMs: number): void;

  /** Whether the process is to stay alive for pending requests. */
  protected keepAlive(_: boolean): void {}

  /** Releases and cancels what went through a session, those within it included. */
  protected abstract endSession(session: RemoteSession<S>, left: LeftBehind): Promise<void>;

  /** The same for all that there is. Nothing is asked of the backend any more. */
  abstract close(left: LeftBehind): Promise<void>;

  /** Rejects with ResourceBusyError if a resource is held or waited for. */
  protected abstract closeResource(resource: RemoteRef): Promise<void>;
}

/** What lived when a session ended, in the order in which it was made. */
export interface LeftBehind {
  readonly requests: readonly RemoteRequest[];
  readonly grants: readonly RemoteGrant[];
}
