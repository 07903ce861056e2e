/**
 * The port of a client in etcd: requests become sets in the log, and sets in the log become grants.
 *
 * There is no server to ask: this client puts a set, receives it from the log, and derives from its
 * own replica whether it is granted, then or later. What its session holds is lost as soon as its
 * lease may be over; requests that still wait are then put again, by another session, at the end of
 * the queues.
 */

import type { Capability } from '../../api/domain.ts';
import { DomainClosedError, ResourceBusyError } from '../../api/errors.ts';
import type { EventDomain } from '../../api/events.ts';
import type { RequestKey } from '../../api/outer-grants.ts';
import { describe } from '../../api/sets.ts';
import type { Capacity, ReadCapacity } from '../../api/units.ts';
import type { BackendPort, LeftBehind } from '../../remote/backend.ts';
import type { Granted, GrantedUnits, Operation } from '../../remote/protocol.ts';
import type { RemoteRequest } from '../../remote/request.ts';
import { RequestTable } from '../../remote/request-table.ts';
import { nameOf, type RemoteRef } from '../../remote/resources.ts';
import type { RemoteScope } from '../../remote/scope.ts';
import type { Clock } from '../../runtime/clock.ts';
import { within } from '../../runtime/within.ts';
import { assemble, type ClientParts } from './client-parts.ts';
import { conditionsOf, GuardedGrant } from './grant.ts';
import { KeepAlive } from './keep-alive.ts';
import type { EtcdSessionConfig } from './leased-session.ts';
import { isNow, type PendingEtcdRequest } from './pending-request.ts';
import { type EtcdSnapshot, snapshotOfReplica } from './snapshot.ts';

/** Time limit of etcd's answer to the end of a domain, ms. */
const partingMsMax = 5000;

const capabilities: ReadonlySet<Capability> = new Set<Capability>([
  'settled',
  'downgrade',
  'part-release',
  'steal',
  'units',
]);

export class EtcdBackend implements BackendPort<EtcdSnapshot, PendingEtcdRequest> {
  readonly capabilities = capabilities;
  readonly eventDomain: EventDomain;
  readonly clock: Clock;
  readonly requests = new RequestTable<PendingEtcdRequest>({
    send: (operation) => this.send(operation),
    keepAlive: (isNeeded) => (isNeeded ? this.#keepAlive.begin() : this.#keepAlive.end()),
    createGrant: (request, granted) => this.createGrant(request, granted),
  });
  readonly #config: EtcdSessionConfig;
  readonly #keepAlive: KeepAlive;
  readonly #parts: ClientParts;

  constructor(config: EtcdSessionConfig) {
    const { keys, clock, entry } = config;
    this.clock = clock;
    this.eventDomain = { backend: 'etcd', name: keys.name, label: entry.label };
    this.#config = config;
    this.#keepAlive = new KeepAlive(clock);
    this.#parts = assemble(config, this.requests, this.#keepAlive, {
      onOpenAgain: () => this.#enterAll(),
      onUnfit: ({ number }) => this.#enterAgain(number),
    });
  }

  /** @throws UnavailableError, ProtocolError, LimitError */
  async open(): Promise<void> {
    await this.#parts.keeper.open();
  }

  checkLease(): void {
    this.#parts.keeper.check();
  }

  keyOf(id: number): RequestKey | undefined {
    const { present } = this.#parts.keeper;
    return present && this.requests.heldOf(id) ? { session: present.id, number: id } : undefined;
  }

  createPending(request: RemoteRequest): PendingEtcdRequest {
    return { request, key: undefined, dispose: () => undefined, isLeaving: false };
  }

  createGrant(request: RemoteRequest, granted: Granted): GuardedGrant {
    const { keeper, replica } = this.#parts;
    const { keys } = this.#config;
    return new GuardedGrant(request, granted, (grant) =>
      conditionsOf(grant, this.requests.heldOf(grant.id), keeper.present, replica, keys),
    );
  }

  ask(pending: PendingEtcdRequest): void {
    const { keeper, reads } = this.#parts;
    const { request } = pending;
    if (keeper.broken !== undefined) {
      this.requests.refuse(request, keeper.broken);
    } else if (request.terms.how === 'settled') {
      reads.after(request, () => this.#observe(pending));
    } else if (keeper.isOpen) this.#enter(pending);
    else keeper.need();
  }

  #observe(pending: PendingEtcdRequest): void {
    const { keeper, observers, units } = this.#parts;
    const { request, dispose } = pending;
    const error = units.refusalOf(request);
    if (error !== undefined) {
      this.requests.refuse(request, error);
      return;
    }
    pending.dispose = () => {
      dispose();
      observers.remove(request);
    };
    observers.add(request, keeper.id);
  }

  /** Puts a new set at the end of the queues; one that is wanted now or never only if it fits. */
  #enter(pending: PendingEtcdRequest): void {
    const { endings, keeper, reads, sets, units } = this.#parts;
    const { request } = pending;
    const session = keeper.id;
    // A refusal, and a new capacity, need the present state.
    if (units.areThere(request) && this.#mayFit(request)) {
      sets.put(pending);
      return;
    }
    reads.after(request, () => {
      // It has been entered anew, or will be.
      if (keeper.id !== session || pending.isLeaving) return;
      const error = units.refusalOf(request);
      if (error !== undefined) this.requests.refuse(request, error);
      else if (!this.#mayFit(request)) endings.deny(pending, undefined);
      else sets.put(pending);
    });
  }

  /** The capacities that its set relies on have changed. */
  #enterAgain(id: number): void {
    const pending = this.requests.pendingOf(id);
    if (pending === undefined || pending.isLeaving) return;
    pending.key = undefined;
    this.#enter(pending);
  }

  /** By another session, at the end of the queues. */
  #enterAll(): void {
    const waiting = [...this.requests.pending];
    const again = this.#parts.units.declareAgain();
    if (again === undefined) this.#enterEach(waiting);
    else void again.then(() => this.#enterEach(waiting));
  }

  #enterEach(waiting: readonly PendingEtcdRequest[]): void {
    for (const pending of waiting) {
      const { request, isLeaving } = pending;
      if (isLeaving || request.terms.how === 'settled') continue;
      if (this.#parts.keeper.isOpen && this.requests.isPending(request)) this.#enter(pending);
    }
  }

  /** Whether it may wait, or no set is in its way. */
  #mayFit(request: RemoteRequest): boolean {
    const { keeper, replica } = this.#parts;
    const { set, steal } = request.terms;
    if (!isNow(request) || steal === true) return true;
    return !set.some((part) => replica.state.isBlocked(part, keeper.id));
  }

  async send(operation: Operation): Promise<void> {
    const { sets } = this.#parts;
    if (operation.do === 'cancel') {
      for (const id of operation.ids) void sets.remove(id);
      return;
    }
    const held = this.requests.heldOf(operation.id);
    if (held === undefined) return;
    const { grant, key: own } = held;
    if (operation.do === 'abandon') sets.flagAll(own);
    const isWeakened =
      operation.do === 'downgrade' || (operation.do === 'release' && operation.part);
    if (isWeakened) await sets.weaken(own, grant);
    else await sets.remove(operation.id);
  }

  timeOut(pending: PendingEtcdRequest, timeoutMs: number): void {
    const { endings, observers } = this.#parts;
    const { request } = pending;
    if (request.terms.how === 'settled') observers.timeOut(request, timeoutMs);
    else endings.timeOut(pending, timeoutMs);
  }

  async query(): Promise<EtcdSnapshot> {
    const { keeper, reads, replica } = this.#parts;
    keeper.checkUsable();
    return this.#keepAlive.during(async () => {
      await reads.readAll();
      return snapshotOfReplica(replica);
    });
  }

  async closeResource(resource: RemoteRef): Promise<void> {
    const { keeper, reads, replica, units } = this.#parts;
    keeper.checkUsable();
    await this.#keepAlive.during(() => reads.read());
    if (!replica.state.isUsed(resource, keeper.id)) {
      units.drop(resource);
      return;
    }
    throw new ResourceBusyError(
      `resource ${describe(nameOf(resource))} is held or waited for: release or cancel first`,
    );
  }

  async setCapacity(resource: RemoteRef, capacity: ReadCapacity): Promise<void> {
    await this.#keepAlive.during(() => this.#parts.units.setCapacity(resource, capacity));
  }

  capacityOf(resource: RemoteRef): Promise<Capacity | undefined> {
    return this.#keepAlive.during(() => this.#parts.units.capacityOf(resource));
  }

  async tryUpgrade(
    id: number,
    part: readonly RemoteRef[],
  ): Promise<readonly GrantedUnits[] | undefined> {
    const { units } = this.#parts;
    return this.#keepAlive.during(() => units.tryUpgrade(this.requests.heldOf(id)?.key, part));
  }

  async endSession(_: RemoteScope, left: LeftBehind): Promise<void> {
    await this.#endAll(left);
  }

  async close(left: LeftBehind): Promise<void> {
    const { keeper } = this.#parts;
    const { connection } = this.#config;
    await this.#keepAlive.during(async () => {
      // Releases that were made before may be under way.
      const ended = this.#endAll(left).then(() => keeper.present?.outbox.flushed());
      await within(this.clock, partingMsMax, ended);
      await keeper.close();
    });
    connection.close();
    this.requests.refuseAll(
      new DomainClosedError('the domain was closed while the request waited'),
    );
  }

  /** The latest first, if they are too many for one transaction: so none is granted another's. */
  async #endAll({ requests, grants }: LeftBehind): Promise<void> {
    const { sets } = this.#parts;
    const ids = [...grants, ...requests].map(({ id }) => id).reverse();
    await Promise.all(ids.map((id) => sets.remove(id)));
  }
}
