/**
 * One client of a domain whose state is kept elsewhere, as its sessions use it.
 *
 * Each backend gives a port: a codec and a connection. The port sends requests (`ask`) and
 * operations (`send`), and reports what comes back to its table of requests. The rest is the same
 * for all of them, and is here and in the table: a request is made once and ends once (I7);
 * one that is cancelled is given back if it was granted meanwhile; an operation on a grant cannot
 * fail.
 */

import type { Capability } from '../api/domain.ts';
import { type EventDomain, eventFlags } from '../api/events.ts';
import type { RequestKey } from '../api/outer-grants.ts';
import { lacksUnits } from '../api/refusals.ts';
import type { Snapshot } from '../api/snapshot.ts';
import type { Capacity, ReadCapacity } from '../api/units.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Delivery } from '../runtime/delivery.ts';
import { callerTimer } from '../runtime/timer.ts';
import { requestEvents } from './events.ts';
import type { RemoteGrant } from './grant.ts';
import type { GrantedUnits, Operation } from './protocol.ts';
import type { RemoteRequest } from './request.ts';
import type { PendingRequest, RequestTable } from './request-table.ts';
import { type RemoteRef, RemoteResources } from './resources.ts';
import type { RemoteScope, ScopeBackend } from './scope.ts';

/** All that a backend varies. `S`: its snapshots; `P`: what it keeps of a request that waits. */
export interface BackendPort<
  S extends Snapshot = Snapshot,
  P extends PendingRequest = PendingRequest,
> {
  readonly capabilities: ReadonlySet<Capability>;
  /** The domain, as events name it. */
  readonly eventDomain: EventDomain;
  readonly clock: Clock;
  /** Receives the answers to requests, and what becomes of grants. */
  readonly requests: RequestTable<P>;

  createPending(request: RemoteRequest): P;

  /** Sends a pending request; its answer is an event. */
  ask(pending: P): void;

  /** Sends an operation. A promise resolves when the other side has it, and never rejects. */
  send(operation: Operation): void | Promise<void>;

  /** The time limit of a request is over. The backend refuses it, once it knows the blockers. */
  timeOut(pending: P, timeoutMs: number): void;

  query(): Promise<S>;

  /** Releases and cancels what went through a session, those within it included. */
  endSession(session: RemoteScope, left: LeftBehind): Promise<void>;

  /** The same for all that there is. The backend is not used any more. */
  close(left: LeftBehind): Promise<void>;

  /** Rejects with ResourceBusyError if a resource is held or waited for. */
  closeResource(resource: RemoteRef): Promise<void>;

  /** Of a backend with the capability `units`, as the next two. @throws CapacityError */
  setCapacity?(resource: RemoteRef, capacity: ReadCapacity): Promise<void>;

  capacityOf?(resource: RemoteRef): Promise<Capacity | undefined>;

  /** See {@link ScopeBackend.tryUpgrade}. `id`: of a held grant. */
  tryUpgrade?(id: number, part: readonly RemoteRef[]): Promise<readonly GrantedUnits[] | undefined>;

  /**
   * Of a backend with a lease: loses the grants if the lease is over by this client's own clock.
   * The timer that does it otherwise is late where the event loop was blocked.
   */
  checkLease?(): void;

  /** By which other clients of the domain find a held grant, where the backend has such keys. */
  keyOf?(id: number): RequestKey | undefined;
}

/** What lived when a session ended, in the order in which it was made. */
export interface LeftBehind {
  readonly requests: readonly RemoteRequest[];
  readonly grants: readonly RemoteGrant[];
}

export class RemoteBackend<S extends Snapshot = Snapshot, P extends PendingRequest = PendingRequest>
  implements ScopeBackend
{
  readonly clock: Clock;
  readonly delivery: Delivery;
  readonly resources: RemoteResources;
  readonly #port: BackendPort<S, P>;
  readonly #requests: RequestTable<P>;

  constructor(port: BackendPort<S, P>) {
    this.#port = port;
    this.#requests = port.requests;
    this.clock = port.clock;
    this.delivery = port.requests.delivery;
    this.resources = new RemoteResources((resource) => port.closeResource(resource));
  }

  get capabilities(): ReadonlySet<Capability> {
    return this.#port.capabilities;
  }

  get eventDomain(): EventDomain {
    return this.#port.eventDomain;
  }

  nextId(): number {
    return this.#requests.nextId();
  }

  /**
   * A request begins to wait. It has ended on return if its signal has, or the code of that signal,
   * which runs here, has closed the session.
   *
   * @throws what a signal throws that takes no listener.
   */
  start(request: RemoteRequest): void {
    const pending = this.#port.createPending(request);
    if (!this.#requests.add(pending)) return;
    if (eventFlags.hasSubscribers) this.#emitStart(request);
    this.checkLease();
    if (!this.#requests.isPending(request)) return;
    const { timeoutMs } = request.terms;
    if (timeoutMs !== undefined && timeoutMs > 0) {
      const timeOut = (): void => this.#port.timeOut(pending, timeoutMs);
      pending.dispose = this.clock.after(timeoutMs, timeOut, callerTimer);
    }
    this.#port.ask(pending);
  }

  #emitStart(request: RemoteRequest): void {
    const { locked, steal } = request.terms;
    const ignoresLocked = locked === 'ignore';
    requestEvents(request)?.started({ isSync: false, ignoresLocked, steals: steal === true });
  }

  cancel({ id }: { readonly id: number }): boolean {
    const pending = this.#requests.pendingOf(id);
    if (pending === undefined) return false;
    void this.#port.send({ do: 'cancel', ids: [id] });
    return this.#requests.end(pending.request);
  }

  send(operation: Operation): void | Promise<void> {
    const done = this.#port.send(operation);
    const isWhole = operation.do === 'release' && operation.part === undefined;
    if (isWhole || operation.do === 'abandon') this.#requests.drop(operation.id);
    return done;
  }

  get hasUnits(): boolean {
    return this.capabilities.has('units');
  }

  async setCapacity(resource: RemoteRef, capacity: ReadCapacity): Promise<void> {
    if (this.#port.setCapacity === undefined) throw lacksUnits(this.eventDomain.backend);
    await this.#port.setCapacity(resource, capacity);
  }

  async capacityOf(resource: RemoteRef): Promise<Capacity | undefined> {
    if (this.#port.capacityOf === undefined) throw lacksUnits(this.eventDomain.backend);
    return this.#port.capacityOf(resource);
  }

  async tryUpgrade(
    { id }: { readonly id: number },
    part: readonly RemoteRef[],
  ): Promise<readonly GrantedUnits[] | undefined> {
    if (this.#port.tryUpgrade === undefined) throw lacksUnits(this.eventDomain.backend);
    return this.#port.tryUpgrade(id, part);
  }

  checkLease(): void {
    this.#port.checkLease?.();
  }

  keyOf({ id }: { readonly id: number }): RequestKey | undefined {
    return this.#port.keyOf?.(id);
  }

  /** Of all clients of the domain. */
  query(): Promise<S> {
    return this.#port.query();
  }

  /**
   * Everything that went through a session, or the domain, ends here and at the other side.
   * Resolves when the other side has ended it too, or cannot be reached.
   */
  async end(session: RemoteScope, left: LeftBehind, reason: unknown): Promise<void> {
    const isDomain = session.parent === undefined;
    const ended = isDomain ? this.#port.close(left) : this.#port.endSession(session, left);
    this.delivery.asOne(() => {
      for (const request of left.requests) this.#requests.refuse(request, reason);
      for (const grant of left.grants) this.#requests.lose(grant, undefined, 'closed');
    });
    await ended;
  }
}
