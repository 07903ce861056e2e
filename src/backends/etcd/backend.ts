/**
 * A client's backend in etcd: requests become sets in the log, and sets in the log become grants.
 *
 * There is no server to ask: this client puts a set, receives it from the log, and derives from its
 * own replica whether it is granted, then or later. What its session holds is lost as soon as its
 * lease may be over; requests that still wait are then put again, by another session, at the end of
 * the queues.
 */

import type { Capability } from '../../api/domain.ts';
import {
  DeadlockError,
  DomainClosedError,
  GrantLostError,
  type LimitError,
  ResourceBusyError,
  WaitTimeoutError,
} from '../../api/errors.ts';
import type { EventDomain, GrantLostEvent } from '../../api/events.ts';
import type { RequestKey } from '../../api/outer-grants.ts';
import { describe } from '../../api/sets.ts';
import { type LeftBehind, RemoteBackend } from '../../remote/backend.ts';
import type { RemoteGrant } from '../../remote/grant.ts';
import { lostError } from '../../remote/lost-error.ts';
import type { Granted, Operation } from '../../remote/protocol.ts';
import type { RemoteRequest } from '../../remote/request.ts';
import type { RemoteRef } from '../../remote/resources.ts';
import type { RemoteSession } from '../../remote/session.ts';
import { waitTimeout } from '../../report/blockers.ts';
import { within } from '../../runtime/within.ts';
import { nameOf } from './derived-state.ts';
import { placesMax, type SetEntry } from './entries.ts';
import { type EtcdCondition, GuardedGrant } from './grant.ts';
import { KeepAlive } from './keep-alive.ts';
import { encodeResource } from './keys.ts';
import type { Lease } from './lease.ts';
import { type EtcdSession, type EtcdSessionConfig, openSession } from './leased-session.ts';
import type { LiveSet } from './live-set.ts';
import { Log } from './log.ts';
import { Observers } from './observers.ts';
import { normalise, OwnSet } from './own-set.ts';
import { isNow, type PendingEtcdRequest } from './pending-request.ts';
import { RecoveredFlags } from './recovered-flags.ts';
import { Replica, type ReplicaDelta } from './replica.ts';
import { SessionReaper } from './session-reaper.ts';
import { type EtcdSnapshot, snapshotOfReplica } from './snapshot.ts';

/** Time limit of a linearizable read, ms. */
const readMsMax = 10_000;
/** Time limit, ms, of the removal of a set before its request is refused. */
const leavingMsMax = 1000;
/** Time limit of etcd's answer to the end of a domain, ms. */
const partingMsMax = 5000;

const capabilities: ReadonlySet<Capability> = new Set<Capability>([
  'settled',
  'downgrade',
  'part-release',
  'steal',
]);

export class EtcdBackend extends RemoteBackend<EtcdSnapshot, PendingEtcdRequest> {
  readonly capabilities = capabilities;
  override readonly eventDomain: EventDomain;
  readonly #terms: EtcdSessionConfig;
  readonly #replica: Replica;
  readonly #log: Log;
  readonly #observers: Observers;
  readonly #reaper: SessionReaper;
  readonly #flags: RecoveredFlags;
  readonly #keepAlive: KeepAlive;
  /** Work that goes on although the outbox is idle. */
  readonly #underWay = new Set<Promise<void>>();
  #etcdSession: EtcdSession | undefined;
  /** `down`: without a session, and none is needed. */
  #state: 'opening' | 'open' | 'down' | 'closed' = 'opening';
  /** The error after which the log cannot be followed any more. */
  #broken: unknown;

  constructor(terms: EtcdSessionConfig) {
    const { connection, keys, clock, entry } = terms;
    super(clock);
    this.#terms = terms;
    this.#keepAlive = new KeepAlive(clock);
    this.eventDomain = { backend: 'etcd', name: keys.name, label: entry.label };
    this.#replica = new Replica(keys, clock, (session) => session === this.#session);
    this.#log = new Log(this.#replica, connection, keys, clock, {
      onStep: (delta) => this.#receiveStep(delta),
      onUnreadable: (error) => this.#giveUp(error),
    });
    this.#observers = new Observers(this.#replica.state, this.requests);
    this.#reaper = new SessionReaper(connection, keys, clock, this.#log);
    this.#flags = new RecoveredFlags(this.#replica);
  }

  /** @throws UnavailableError, ProtocolError, LimitError */
  async open(): Promise<void> {
    await this.#keepAlive.during(async () => {
      await this.#openSession();
      try {
        await this.#log.open();
        this.#checkUsable();
      } catch (error) {
        this.#log.close();
        await this.#etcdSession?.lease.end();
        throw error;
      }
    });
    // The session may have been lost since; a request then opens another one.
    this.#state = this.#etcdSession === undefined ? 'down' : 'open';
    this.#reap();
  }

  override checkLease(): void {
    this.#etcdSession?.lease.check();
  }

  override keyOf({ id }: RemoteGrant): RequestKey | undefined {
    const { lease } = this.#etcdSession ?? {};
    return lease && this.requests.heldOf(id) ? { session: lease.id, number: id } : undefined;
  }

  protected override createPending(request: RemoteRequest): PendingEtcdRequest {
    return { request, key: undefined, dispose: () => undefined, isLeaving: false };
  }

  protected override keepAlive(isNeeded: boolean): void {
    if (isNeeded) this.#keepAlive.begin();
    else this.#keepAlive.end();
  }

  protected override ask(pending: PendingEtcdRequest): void {
    const { request } = pending;
    if (this.#broken !== undefined) {
      this.requests.refuse(request, this.#broken);
    } else if (request.terms.how === 'settled') {
      this.#afterReading(() => this.#observe(pending), request);
    } else if (this.#state === 'open') this.#enter(pending);
    else if (this.#state === 'down') void this.#openAgain();
  }

  #observe(pending: PendingEtcdRequest): void {
    const { request, dispose } = pending;
    pending.dispose = () => {
      dispose();
      this.#observers.remove(request);
    };
    this.#observers.add(request, this.#session);
  }

  protected override async send(operation: Operation): Promise<void> {
    if (operation.do === 'cancel') {
      for (const id of operation.ids) void this.#remove(id);
      return;
    }
    const held = this.requests.heldOf(operation.id);
    if (held === undefined) return;
    const { grant, key: own } = held;
    if (operation.do === 'abandon') {
      for (const ref of own.entry.exclusive) this.#flag(own, ref, true);
    }
    const isPart = operation.do === 'release' && operation.part !== undefined && !grant.isOver;
    if (operation.do === 'downgrade' || isPart) await this.#weaken(own, grant);
    else await this.#remove(operation.id);
  }

  /** Puts a new set at the end of the queues; one that is wanted now or never only if it fits. */
  #enter(pending: PendingEtcdRequest): void {
    const { request } = pending;
    if (!isNow(request) || !this.#isInTheWayOf(request)) {
      this.#put(pending);
      return;
    }
    this.#afterReading(() => {
      if (this.#isInTheWayOf(request)) this.#deny(request, undefined);
      else this.#put(pending);
    }, request);
  }

  #put(pending: PendingEtcdRequest): void {
    const { request } = pending;
    const etcdSession = this.#etcdSession;
    if (etcdSession === undefined) return;
    const { set, label, holding, steal } = request.terms;
    const { label: session } = request.scope;
    const { keys, outer = [] } = this.#terms;
    const kept = [...holding.filter(({ isHeld }) => isHeld).map(({ id }) => id), ...outer];
    const entry: SetEntry = {
      ...normalise(set),
      at: 0,
      since: this.clock.epochMs(),
      ...(label !== undefined && { label }),
      ...(session !== undefined && { session }),
      ...(kept.length > 0 && { holding: kept }),
      ...(steal === true && { steal }),
    };
    const own = new OwnSet(keys.set(etcdSession.lease.id, request.id), request.id, entry);
    pending.key = own;
    void etcdSession.outbox.update(own);
  }

  /** Reads the log up to now, and then does something, unless the request is over. */
  #afterReading(then: () => void, request: RemoteRequest): void {
    const work = this.#read().then(
      () => this.requests.isPending(request) && then(),
      (error) => this.requests.refuse(request, error),
    );
    this.#track(work);
  }

  #track(work: Promise<unknown>): void {
    const over = work.then(() => {
      this.#underWay.delete(over);
      this.delivery.runDirect();
    });
    this.#underWay.add(over);
  }

  /** On return the replica has what was in etcd at the call, and what this client had sent. */
  async #read(): Promise<void> {
    await this.#etcdSession?.outbox.flushed();
    await this.#log.reach(readMsMax);
    this.#checkUsable();
  }

  #checkUsable(): void {
    if (this.#state === 'closed') throw closedError();
    if (this.#broken !== undefined) throw this.#broken;
  }

  #isInTheWayOf({ terms: { set, steal } }: RemoteRequest): boolean {
    return steal !== true && this.#replica.state.inTheWay(set, this.#session).size > 0;
  }

  #deny(request: RemoteRequest, live: LiveSet | undefined): void {
    const error = request.terms.how === 'try' ? undefined : this.#timeOutError(request, 0, live);
    this.#leave(request, error);
  }

  /**
   * A request ends ungranted: it is refused, or without a reason denied, once its set is removed or
   * etcd cannot be reached.
   */
  #leave(request: RemoteRequest, reason: unknown): void {
    const pending = this.requests.pendingOf(request.id);
    if (pending === undefined || pending.isLeaving) return;
    pending.isLeaving = true;
    this.#track(this.#leaveNow(request, reason));
  }

  async #leaveNow(request: RemoteRequest, reason: unknown): Promise<void> {
    await within(this.clock, leavingMsMax, this.#remove(request.id));
    if (reason === undefined) this.requests.settle(request);
    else this.requests.refuse(request, reason);
  }

  protected override timeOut({ request, key }: PendingEtcdRequest, timeoutMs: number): void {
    if (request.terms.how === 'settled') {
      this.#observers.timeOut(request, timeoutMs);
      return;
    }
    const live = this.#replica.sets.get(key?.key ?? '');
    this.#leave(request, this.#timeOutError(request, timeoutMs, live));
  }

  #timeOutError({ terms }: RemoteRequest, timeoutMs: number, live: LiveSet | undefined) {
    const { state } = this.#replica;
    if (live !== undefined && !live.isGranted) return waitTimeout(state, live.set, timeoutMs);
    const inTheWay = state.describeInTheWay(terms.set, this.#session);
    return new WaitTimeoutError(`not granted within ${timeoutMs} ms: ${inTheWay}`);
  }

  protected override createGrant(request: RemoteRequest, granted: Granted): GuardedGrant {
    return new GuardedGrant(request, granted, (grant) => this.#guard(grant));
  }

  async #weaken(own: OwnSet, grant: RemoteGrant): Promise<void> {
    const { exclusive, shared } = normalise(grant.set);
    const left = new Set(exclusive);
    for (const ref of own.entry.exclusive) if (!left.has(ref)) this.#flag(own, ref, false);
    own.entry = { ...own.entry, exclusive, shared };
    await this.#etcdSession?.outbox.update(own);
  }

  /** A set of this client's ends, in whatever state it is. */
  async #remove(id: number): Promise<void> {
    const pending = this.requests.pendingOf(id);
    const held = this.requests.heldOf(id);
    const own = pending?.key ?? held?.key;
    if (own === undefined) return;
    if (pending !== undefined) pending.key = undefined;
    // An exclusive holder that ends in good order leaves its resources whole.
    if (held !== undefined) {
      for (const ref of own.entry.exclusive) {
        if (!own.flags.has(encodeResource(ref, this.#session))) this.#flag(own, ref, false);
      }
    }
    own.isEnding = true;
    await this.#etcdSession?.outbox.update(own);
  }

  #flag(own: OwnSet, ref: RemoteRef, isSet: boolean): void {
    this.#flags.flag(own, ref, isSet, this.#session);
  }

  #guard(grant: RemoteGrant): readonly [EtcdCondition, ...EtcdCondition[]] {
    const known = this.#replica.sets.get(this.requests.heldOf(grant.id)?.key.key ?? '');
    const lease = this.#etcdSession?.lease;
    if (!grant.isHeld || known === undefined || lease === undefined || !lease.isValid) {
      throw lostError(grant.token);
    }
    const { keys } = this.#terms;
    return [
      { key: known.key, target: 'Mod', revision: known.modRevision },
      { key: keys.session(lease.id), target: 'Create', revision: lease.createRevision },
      { key: keys.steal, target: 'Mod', revision: this.#replica.stealRevision },
    ];
  }

  #receiveStep(delta: ReplicaDelta): void {
    if (this.#state === 'closed') return;
    const lease = this.#etcdSession?.lease;
    // A process that was stopped receives old steps first.
    this.checkLease();
    if (lease !== undefined && this.#isOver(lease)) lease.lose('etcd has ended its session');
    this.delivery.asOne(() => {
      for (const live of delta.removed) this.#removed(live);
      for (const live of delta.revoked) this.#revoked(live);
      for (const live of delta.added) this.#added(live, delta);
      for (const live of delta.granted) this.#granted(live, delta);
      if (this.#replica.resetRevision === this.#replica.revision) this.#findMissed();
      for (const { live, message, steps } of delta.cycles) {
        const request = this.#pendingOf(live)?.request;
        if (request === undefined || isNow(request)) continue;
        this.#leave(request, new DeadlockError(message, steps));
      }
      this.#observers.update(delta);
    });
    if (delta.haveSessionsEnded) this.#reap();
  }

  /** Whether its session key is gone from the log: another client has ended it, or etcd has. */
  #isOver({ id, createRevision }: Lease): boolean {
    return this.#replica.revision >= createRevision && !this.#replica.sessions.has(id);
  }

  #removed(live: LiveSet): void {
    const own = this.#ownOf(live);
    if (own === undefined) return;
    if (this.#pendingOf(live) === undefined) {
      this.#etcdSession?.outbox.forget(own);
      // The step that revokes a set may delete it too. Otherwise its session has expired.
      this.#lose(live, own, this.#replica.isExpired(live) ? 'died' : 'stolen');
    } else this.#missed(own, live.tokenAtArrival);
  }

  /** Keys that were read anew do not show sets that came and went since they were last read. */
  #findMissed(): void {
    for (const { key } of this.requests.pending) {
      if (key !== undefined && this.#etcdSession?.outbox.isMissed(key)) this.#missed(key);
    }
  }

  /** Another client has deleted a set before this one's copy saw it granted. */
  #missed(own: OwnSet, token = own.modRevision * placesMax): void {
    const pending = this.requests.pendingOf(own.number);
    const { outbox } = this.#etcdSession as EtcdSession;
    outbox.forget(own);
    if (pending?.key !== own) return;
    if (own.entry.steal === true) {
      // It was granted as it came, and another stealing request has come since.
      pending.key = undefined;
      this.requests.refuse(pending.request, lostError(token));
    } else {
      // The request still waits.
      own.enqueueAgain();
      void outbox.update(own);
    }
  }

  #revoked(live: LiveSet): void {
    const own = this.#ownOf(live);
    // The set of a request that waits stays in line.
    if (own === undefined || this.#pendingOf(live) !== undefined) return;
    for (const ref of own.entry.exclusive) this.#flag(own, ref, true);
    this.#lose(live, own, 'stolen');
    own.isEnding = true;
    void this.#etcdSession?.outbox.update(own);
  }

  #lose({ number: id, entry }: LiveSet, own: OwnSet, cause: GrantLostEvent['cause']): void {
    for (const ref of entry.exclusive) {
      if (typeof ref === 'number') this.#flag(own, ref, true);
    }
    this.receive({ is: 'lost', id, cause });
  }

  #added(live: LiveSet, { revoked }: ReplicaDelta): void {
    if (live.session !== this.#session) return;
    if (this.#ownOf(live) === undefined) {
      // It has been removed since, and that is under way; or a transaction has come late.
      this.#etcdSession?.outbox.deleteOrphan(live);
      return;
    }
    if (live.entry.steal === true && revoked.length > 0) {
      void this.#reaper.reap(revoked.filter(({ session }) => session !== live.session));
    }
    const request = this.#pendingOf(live)?.request;
    if (live.isGranted || request === undefined) return;
    if (isNow(request)) this.#deny(request, live);
    else this.receive({ is: 'waiting', id: request.id });
  }

  #granted(live: LiveSet, { revoked }: ReplicaDelta): void {
    if (this.#pendingOf(live) === undefined) return;
    const recovered = this.#flags.recovered(live, revoked).map(nameOf);
    this.receive({
      is: 'granted',
      id: live.number,
      token: live.token,
      ...(recovered.length > 0 && { recovered }),
    });
  }

  /** The request of a set in the log that is still wanted. */
  #pendingOf({ session, number }: LiveSet): PendingEtcdRequest | undefined {
    const pending = session === this.#session ? this.requests.pendingOf(number) : undefined;
    return pending?.key && pending;
  }

  /** What this client still wants, or has, of a set in the log. */
  #ownOf({ session, number }: LiveSet): OwnSet | undefined {
    if (session !== this.#session) return undefined;
    return this.requests.pendingOf(number)?.key ?? this.requests.heldOf(number)?.key;
  }

  get #session(): string {
    return this.#etcdSession?.lease.id ?? '';
  }

  async #openSession(): Promise<void> {
    this.#etcdSession = await openSession(this.#terms, this.#log, {
      onLost: (reason) => this.#lostTenancy(reason),
      onHeartbeat: () => this.#catchUp(),
      onRefused: (own, error) => this.#refuse(own, error),
      onMissed: (own) => this.#missed(own),
    });
  }

  /** Reads what the watch may have missed, and reaps dead sessions. */
  #catchUp(): void {
    // A log that is out of reach is read at the next heartbeat.
    const reached = this.#log.reach(readMsMax);
    reached.then(() => this.#reap()).catch(() => undefined);
  }

  #reap(): void {
    if (this.#state === 'open') this.#reaper.check(this.#session);
  }

  #lostTenancy(reason: Error): void {
    const etcdSession = this.#etcdSession;
    if (etcdSession === undefined || this.#state === 'closed') return;
    this.#etcdSession = undefined;
    this.#state = 'down';
    etcdSession.outbox.close();
    for (const pending of this.requests.pending) pending.key = undefined;
    this.#flags.forgetPrivate();
    const why = `was lost with this client's session: ${reason.message}`;
    this.delivery.asOne(() => {
      for (const { grant } of this.requests.held) {
        const error = new GrantLostError(
          `grant ${grant.token} ${why}: stop using what it protected`,
        );
        this.requests.lose(grant, error, 'died');
      }
    });
    if (this.requests.pendingCount > 0 && this.#broken === undefined) void this.#openAgain();
  }

  async #openAgain(): Promise<void> {
    this.#state = 'opening';
    try {
      await this.#keepAlive.during(() => this.#openSession());
    } catch (error) {
      if (this.#isClosed()) return;
      this.#state = 'down';
      this.requests.refuseAll(error);
      return;
    }
    if (this.#isClosed() || this.#broken !== undefined) {
      await this.#etcdSession?.lease.end();
      return;
    }
    this.#state = 'open';
    for (const pending of this.requests.pending) {
      if (!pending.isLeaving && pending.request.terms.how !== 'settled') this.#enter(pending);
    }
    this.#reap();
  }

  #refuse({ number }: OwnSet, error: LimitError): void {
    const pending = this.requests.pendingOf(number);
    if (pending === undefined) return;
    pending.key = undefined;
    this.requests.refuse(pending.request, error);
  }

  /** The log cannot be followed: so nothing more can be known. */
  #giveUp(error: unknown): void {
    if (this.#isClosed()) return;
    this.#broken = error;
    this.#etcdSession?.lease.lose(`the log cannot be read: ${error}`);
    this.requests.refuseAll(error);
  }

  #isClosed(): boolean {
    return this.#state === 'closed';
  }

  async query(): Promise<EtcdSnapshot> {
    this.#checkUsable();
    return this.#keepAlive.during(async () => {
      await this.#read();
      const underWay = [...this.#underWay];
      await Promise.all(underWay);
      // What that has led to is to be seen too.
      if (underWay.length > 0) await this.#read();
      return snapshotOfReplica(this.#replica);
    });
  }

  protected async closeResource(resource: RemoteRef): Promise<void> {
    this.#checkUsable();
    await this.#keepAlive.during(() => this.#read());
    const inTheWay = this.#replica.state.inTheWay({ exclusive: [resource] }, this.#session);
    if (inTheWay.size === 0) return;
    throw new ResourceBusyError(
      `resource ${describe(nameOf(resource))} is held or waited for: release or cancel first`,
    );
  }

  protected override async endSession(
    _: RemoteSession<EtcdSnapshot>,
    left: LeftBehind,
  ): Promise<void> {
    await this.#endAll(left);
  }

  async close(left: LeftBehind): Promise<void> {
    const etcdSession = this.#etcdSession;
    await this.#keepAlive.during(async () => {
      // Releases that were made before may be under way.
      const ended = this.#endAll(left).then(() => etcdSession?.outbox.flushed());
      await within(this.clock, partingMsMax, ended);
      this.#state = 'closed';
      this.#log.close();
      this.#reaper.close();
      etcdSession?.outbox.close();
      await etcdSession?.lease.end();
    });
    this.#terms.connection.close();
    this.requests.refuseAll(
      new DomainClosedError('the domain was closed while the request waited'),
    );
  }

  /** The latest first, if they are too many for one transaction: so none is granted another's. */
  async #endAll({ requests, grants }: LeftBehind): Promise<void> {
    const ids = [...grants, ...requests].map(({ id }) => id).reverse();
    await Promise.all(ids.map((id) => this.#remove(id)));
  }
}

function closedError(): DomainClosedError {
  return new DomainClosedError('the domain is closed');
}
