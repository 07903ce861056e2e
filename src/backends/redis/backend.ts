/**
 * A client's backend in Redis. It translates requests and operations to calls of scripts, by the
 * numbers under which the server knows them, and answers, notifications and audits (audit.ts) to
 * events.
 *
 * While the server does not answer, only heartbeats are sent. Once it does, changes are sent first,
 * then the requests that still wait, by the same number if they may have arrived. A grant is lost
 * when the lease may have run out.
 */

import type { Capability } from '../../api/domain.ts';
import {
  DomainClosedError,
  LimitError,
  ResourceBusyError,
  UnavailableError,
  WaitTimeoutError,
} from '../../api/errors.ts';
import type { EventDomain } from '../../api/events.ts';
import type { RequestKey } from '../../api/outer-grants.ts';
import { type LeftBehind, RemoteBackend } from '../../remote/backend.ts';
import type { RemoteGrant } from '../../remote/grant.ts';
import type { LeasedSession } from '../../remote/leased-session.ts';
import { lostError } from '../../remote/lost-error.ts';
import type { Operation } from '../../remote/protocol.ts';
import type { RemoteRequest } from '../../remote/request.ts';
import type { RemoteRef } from '../../remote/resources.ts';
import type { RemoteSession } from '../../remote/session.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { DeadlineOptions } from '../../runtime/deadline.ts';
import { escaped, quote } from '../../runtime/escape.ts';
import { audit } from './audit.ts';
import { type ChangeKind, Changes } from './changes.ts';
import type { RedisConnection } from './connection.ts';
import { createSession, outOfReach, type RedisRenewal } from './leased-session.ts';
import { deadlockError, timeoutMessage } from './messages.ts';
import { keyNameOf, labelSent, linksOf, nameOf, rootOf } from './names.ts';
import { modeOf, type PendingRedisRequest, type ServerKey } from './pending-request.ts';
import { outageMsMax, whenReached } from './reach.ts';
import { type ScriptReply, Scripts, strangeAnswer } from './scripts.ts';
import { checkServer } from './server-kind.ts';
import { ServerSession } from './server-session.ts';
import { type RedisSnapshot, takeSnapshot } from './snapshot.ts';
import { SubscriptionCheck } from './subscription-check.ts';

/** Length of a set's names, at most, in UTF-16 code units. */
const linksLengthMax = 4 * 2 ** 20;
/** Time limit of a call, ms: a third of the lease, within these. */
const callMsMin = 1000;
const callMsMax = 10_000;
/** Time limit, ms, of the blockers of a request whose own time is over. */
const explainMsMax = 5000;
const explainTime: DeadlineOptions = { keepsAlive: true, isReal: true };
const capabilities: ReadonlySet<Capability> = new Set<Capability>([
  'settled',
  'downgrade',
  'part-release',
  'steal',
]);

export interface RedisBackendOptions {
  readonly connection: RedisConnection;
  readonly clock: Clock;
  /** Of the domain. */
  readonly name: string;
  /** Of the domain, as this client calls it. */
  readonly label?: string | undefined;
  /** A name that no other client has, without a dot. */
  readonly client: string;
  readonly leaseMs: number;
  /** Description of the client for people: JSON. */
  readonly about: string;
  /** Grants of other clients, kept while a request of this client waits. Default none. */
  readonly outer?: readonly RequestKey[];
}

export class RedisBackend extends RemoteBackend<RedisSnapshot, PendingRedisRequest> {
  readonly capabilities = capabilities;
  override readonly eventDomain: EventDomain;
  readonly scripts: Scripts;
  readonly #connection: RedisConnection;
  readonly #root: string;
  readonly #client: string;
  readonly #outer: readonly RequestKey[];
  readonly #leaseMs: number;
  readonly #about: string;
  /** The present session. After a lost one, a new one by the next number. */
  session: ServerSession;
  #lease: LeasedSession<RedisRenewal>;
  #sessionCount = 1;
  readonly #changes: Changes;
  readonly #subscription: SubscriptionCheck;
  readonly #warnings = new Set<string>();
  #downSinceMs: number | undefined;
  #isAuditDue = false;
  #isClosed = false;

  constructor(options: RedisBackendOptions) {
    const { connection, clock, name, label, client, leaseMs, about, outer = [] } = options;
    super(clock);
    this.#outer = outer;
    this.eventDomain = { backend: 'redis', name, label };
    this.#connection = connection;
    this.#root = rootOf(name);
    this.#client = client;
    const callMs = Math.min(Math.max(leaseMs / 3, callMsMin), callMsMax);
    this.scripts = new Scripts(connection, clock, this.#root, callMs);
    this.#leaseMs = leaseMs;
    this.#about = about;
    this.session = new ServerSession(`${client}.1`);
    this.#lease = this.#createLease();
    this.#changes = new Changes(this.scripts, {
      session: () => this.session,
      isUp: () => this.#lease.isUp,
      onReply: (reply, session) => this.#receiveReply(reply, session),
      onError: (error) => this.#failed(error),
    });
    this.#subscription = new SubscriptionCheck({
      connection,
      clock,
      channel: this.#channel,
      leaseMs,
      isUp: () => this.#lease.isUp,
      inTime: (reply) => this.scripts.inTime(reply),
      onRenewed: () => this.#reconnected(),
    });
  }

  get #channel(): string {
    return `${this.#root}c:${this.#client}`;
  }

  #createLease(): LeasedSession<RedisRenewal> {
    const terms = { id: this.session.id, leaseMs: this.#leaseMs, about: this.#about };
    return createSession(terms, this.scripts, this.clock, {
      onRenewed: (renewal) => this.#renewed(renewal),
      onRunOut: () => {
        this.#loseAll(false);
        this.#changes.giveUp();
      },
      onLost: () => this.#expired(),
      onFailed: (reason) => this.#heartbeatFailed(reason),
    });
  }

  /**
   * Begins a session, once the client is connected.
   *
   * @throws UnavailableError if it is not, within ten seconds; UnsupportedError if the server is of
   * a kind that cannot be used; the error with which the server refuses.
   */
  async open(): Promise<void> {
    await this.#whenReached(() => checkServer(this.scripts));
    await this.#whenReached(() => this.scripts.load());
    const onMessage = (text: string): void => this.#message(text);
    await this.#whenReached(() =>
      this.scripts.inTime(this.#connection.subscribe(this.#channel, onMessage)),
    );
    await this.#whenReached(() => this.#lease.open());
    this.#connection.onReconnect(() => this.#reconnected());
    this.#subscription.start();
  }

  #reconnected(): void {
    // It may be another server, which has not received all that this client sent.
    this.#isAuditDue = true;
    this.#lease.heartbeatNow();
  }

  override checkLease(): void {
    this.#lease.check();
  }

  override keyOf({ id }: RemoteGrant): RequestKey | undefined {
    const key = this.requests.heldOf(id)?.key;
    return key && { session: key.session.id, number: key.number };
  }

  // ---- Requests and operations

  protected override createPending(request: RemoteRequest): PendingRedisRequest {
    return {
      request,
      key: undefined,
      dispose: () => undefined,
      sinceMs: this.clock.nowMs(),
      state: 'due',
      isRevoked: false,
    };
  }

  protected override ask(pending: PendingRedisRequest): void {
    if (this.#lease.isUp) this.#enqueue(pending);
    else this.#lease.heartbeatNow();
  }

  #enqueue(pending: PendingRedisRequest): void {
    this.#changes.flush();
    const { session } = this;
    const { request } = pending;
    const { set, label, holding } = request.terms;
    const links = linksOf(set, this.#client);
    if (links.length > linksLengthMax) {
      const limit = `a set takes at most ${linksLengthMax} code units to name`;
      this.requests.refuse(request, new LimitError(limit));
      return;
    }
    const { exclusive = [], shared = [] } = set;
    const linkCount = exclusive.length + shared.length;
    pending.key ??= { session, number: session.nextNumber(), linkCount };
    pending.state = 'sent';
    const { key } = pending;
    session.idOf.set(key.number, request.id);
    const own = holding.flatMap(({ id }) => this.requests.heldOf(id)?.key.number ?? []);
    const outer = this.#outer.map(({ session: name, number }) => `${name}/${number}`);
    const args = [
      session.id,
      `${key.number}`,
      modeOf(request),
      links,
      labelSent(label),
      labelSent(request.scope.label),
      [...own, ...outer].join(' '),
    ];
    this.scripts.run('enqueue', args).then(
      (reply) => this.#answered(pending, key, reply),
      (error) => this.#unanswered(pending, key, error),
    );
  }

  protected override async send(operation: Operation): Promise<void> {
    if (operation.do === 'cancel') {
      // The latest first, so that none of them is granted what another one leaves.
      for (const id of operation.ids.toReversed()) this.#giveBack(this.requests.pendingOf(id)?.key);
      return;
    }
    const held = this.requests.heldOf(operation.id);
    if (held === undefined) return;
    const { grant, key } = held;
    const kind = changeKindOf(operation);
    if (kind === 'R' || kind === 'A' || grant.isOver) key.session.idOf.delete(key.number);
    const part = operation.do === 'abandon' ? undefined : operation.part;
    const refs = part ?? (kind === 'D' ? grant.set.shared : undefined);
    const names = refs?.map((ref) => keyNameOf(ref, this.#client));
    await this.#changes.add(kind, key, names);
  }

  /** A request may be at the server, and is not wanted: its grant is given back, if it has one. */
  #giveBack(key: ServerKey | undefined): void {
    if (key === undefined) return;
    key.session.idOf.delete(key.number);
    void this.#changes.add('C', key);
  }

  protected override timeOut(pending: PendingRedisRequest, timeoutMs: number): void {
    const { request, key } = pending;
    const refuse = (blockers: readonly string[]): void => {
      this.requests.refuse(request, new WaitTimeoutError(timeoutMessage(timeoutMs, blockers)));
    };
    if (key === undefined) {
      refuse([]);
      return;
    }
    // From here on a grant comes too late.
    key.session.idOf.delete(key.number);
    pending.key = undefined;
    pending.state = 'late';
    const limitMs = this.#lease.isUp ? explainMsMax : 0;
    pending.dispose = this.clock.after(limitMs, () => refuse([]), explainTime);
    void this.#changes.add('T', key).then(refuse);
  }

  async query(): Promise<RedisSnapshot> {
    if (this.#isClosed) throw new DomainClosedError('the domain is closed');
    this.#changes.flush();
    return this.#whenReached(() => takeSnapshot(this.scripts, this.session.id));
  }

  protected override async closeResource(resource: RemoteRef): Promise<void> {
    if (this.#isClosed) throw new DomainClosedError('the domain is closed');
    this.#changes.flush();
    const name = keyNameOf(resource, this.#client);
    const count = await this.#whenReached(() =>
      this.scripts.send('EXISTS', `${this.#root}t:${name}`, `${this.#root}w:${name}`),
    );
    if (Number(count) === 0) return;
    throw new ResourceBusyError(
      `resource ${quote(nameOf(name))} is held or waited for: release or cancel first`,
    );
  }

  protected override async endSession(
    _: RemoteSession<RedisSnapshot>,
    left: LeftBehind,
  ): Promise<void> {
    const released = this.#endAll(left);
    this.#changes.flush();
    await released;
  }

  async close(left: LeftBehind): Promise<void> {
    this.#isClosed = true;
    this.#subscription.stop();
    void this.#endAll(left);
    this.#changes.flush();
    await this.#lease.close();
    this.#changes.giveUp();
    await this.#connection.close();
  }

  /** Resolves when the grants are released at the server. */
  async #endAll({ requests, grants }: LeftBehind): Promise<void> {
    void this.send({ do: 'cancel', ids: requests.map(({ id }) => id) });
    await Promise.all(grants.map(({ id }) => this.send({ do: 'release', id })));
  }

  /** Also of calls that only read: the limit is that of a request that waits. */
  #whenReached<T>(attempt: () => Promise<T>): Promise<T> {
    return whenReached(this.clock, attempt, () => this.#isClosed);
  }

  // ---- Answers and notifications

  #answered(pending: PendingRedisRequest, key: ServerKey, reply: ScriptReply): void {
    key.session.answered(key.number);
    const [word, ...rest] = reply.answer as readonly string[];
    const isWanted = this.#isWanted(pending, key);
    this.delivery.asOne(() => {
      // A stealing request is granted after the losses, and before the grants that follow it.
      const lines = reply.notifications.split('\n');
      for (const line of lines) if (line.includes('\tlost\t')) this.#notified(line, key.session);
      if (isWanted) this.#receiveAnswer(pending, word, rest);
      this.#receiveReply(reply, key.session);
    });
  }

  #receiveAnswer(
    pending: PendingRedisRequest,
    word: string | undefined,
    rest: readonly string[],
  ): void {
    const { request } = pending;
    const { set, label, how, timeoutMs } = request.terms;
    switch (word) {
      case 'granted':
        this.receiveGrant(pending, (rest[0] ?? '').split('\t'));
        break;
      case 'waiting':
        pending.state = 'waiting';
        if (timeoutMs === 0) this.timeOut(pending, 0);
        else this.receive({ is: 'waiting', id: request.id });
        break;
      case 'settled':
        this.receiveSettled(pending);
        break;
      case 'denied':
        if (how === 'try') this.#endUngranted(pending);
        else this.#endUngranted(pending, new WaitTimeoutError(timeoutMessage(0, rest)));
        break;
      case 'deadlock':
        this.#endUngranted(pending, deadlockError(linksOf(set, this.#client), label, rest));
        break;
      case 'limit':
        this.#endUngranted(
          pending,
          new LimitError('too many wait for one another to find a cycle'),
        );
        break;
      case 'over':
        this.askAgain(pending);
        break;
      case 'expired':
        pending.state = 'due';
        this.#lease.heartbeatNow();
        break;
      default:
        this.#endUngranted(pending, strangeAnswer());
    }
  }

  /** The server has nothing of it any more. Without a reason the request is denied. */
  #endUngranted({ request: { id }, key }: PendingRedisRequest, reason?: unknown): void {
    key?.session.idOf.delete(key.number);
    this.receive(reason === undefined ? { is: 'denied', id } : { is: 'refused', id, reason });
  }

  #unanswered(pending: PendingRedisRequest, key: ServerKey, error: unknown): void {
    if (this.#isWanted(pending, key)) {
      if (!(error instanceof UnavailableError)) {
        this.#endUngranted(pending, error);
        return;
      }
      pending.state = 'due';
    }
    this.#failed(error);
  }

  /** Whether an answer is to what is still asked. */
  #isWanted(pending: PendingRedisRequest, key: ServerKey): boolean {
    return pending.key === key && this.requests.isPending(pending.request);
  }

  /** A grant, from its id, token, and recovered names. Also for audit.ts. */
  receiveGrant(pending: PendingRedisRequest, [setId, token, ...names]: readonly string[]): void {
    // Whether it is held cannot be known: the next heartbeat is followed by an audit.
    if (!this.#lease.isValid) {
      this.#isAuditDue = true;
      pending.state = 'waiting';
      return;
    }
    const { id } = pending.request;
    if (pending.key !== undefined) pending.key.id = setId;
    this.receive({ is: 'granted', id, token: Number(token), recovered: names.map(nameOf) });
    if (pending.isRevoked) this.lose(id);
  }

  /** What was observed has no conflict left. Also for audit.ts. */
  receiveSettled({ request, key }: PendingRedisRequest): void {
    this.#giveBack(key);
    this.receive({ is: 'settled', id: request.id });
  }

  /** Also for audit.ts: the server has it in a queue. */
  receiveWaiting(pending: PendingRedisRequest): void {
    pending.state = 'waiting';
    this.receive({ is: 'waiting', id: pending.request.id });
  }

  /** A grant is lost. Also for audit.ts. */
  lose(id: number, reason?: unknown, cause: 'stolen' | 'died' = 'stolen'): void {
    const key = this.requests.heldOf(id)?.key;
    key?.session.idOf.delete(key.number);
    this.receive({ is: 'lost', id, reason, cause });
  }

  /** For audit.ts: the server has no trace of it, and it is asked by another number. */
  askAgain(pending: PendingRedisRequest): void {
    const { key } = pending;
    key?.session.idOf.delete(key.number);
    pending.key = undefined;
    pending.state = 'due';
    pending.isRevoked = false;
    if (this.#lease.isUp) this.#enqueue(pending);
  }

  /** For audit.ts: the server has a request of that number, and this client does not. */
  giveBackNumber(session: ServerSession, number: number): void {
    this.#giveBack({ session, number, linkCount: 1 });
  }

  #message(text: string): void {
    if (this.#subscription.take(text)) return;
    const [session, ...lines] = text.split('\n');
    if (session !== this.session.id) return;
    this.delivery.asOne(() => {
      for (const line of lines) this.#notified(line, this.session);
    });
  }

  /** What came with an answer. */
  #receiveReply(
    { notifications, damage, isUnfinished }: ScriptReply,
    session: ServerSession,
  ): void {
    if (isUnfinished) this.#lease.heartbeatNow();
    if (damage !== '') this.#warn(`a key of kds is damaged, or not a key of kds: ${damage}`);
    if (notifications === '') return;
    this.delivery.asOne(() => {
      for (const line of notifications.split('\n')) this.#notified(line, session);
    });
  }

  #notified(line: string, session: ServerSession): void {
    const [ordinal, kind, number, ...rest] = line.split('\t');
    if (session !== this.session || !session.receive(Number(ordinal))) return;
    const id = session.idOf.get(Number(number));
    if (id === undefined) return;
    const pending = this.requests.pendingOf(id);
    if (kind === 'lost') {
      if (pending === undefined) this.lose(id);
      else pending.isRevoked = true;
    } else if (pending !== undefined) {
      if (kind === 'granted') this.receiveGrant(pending, rest);
      else this.receiveSettled(pending);
    }
  }

  // ---- The session

  #renewed({ reply, notifiedCount, numberTop }: RedisRenewal): void {
    this.#receiveReply(reply, this.session);
    this.#downSinceMs = undefined;
    this.#changes.resume();
    this.#changes.flush();
    for (const pending of this.requests.pending) {
      if (pending.state === 'due') this.#enqueue(pending);
    }
    if (!this.#isAuditDue && !this.session.hasMissed(notifiedCount, numberTop)) return;
    this.#isAuditDue = false;
    audit(this, this.session).then(
      (isKnown) => isKnown || this.#lease.heartbeatNow(),
      (error) => {
        this.#isAuditDue = true;
        this.#failed(error);
      },
    );
  }

  /** The server has ended the session: its grants, and the queue positions of its requests. */
  #expired(): void {
    this.#sessionCount++;
    this.session = new ServerSession(`${this.#client}.${this.#sessionCount}`);
    this.#lease = this.#createLease();
    this.#loseAll(true);
    this.#changes.forget();
    for (const pending of this.requests.pending) {
      if (pending.state === 'late') continue;
      pending.key = undefined;
      pending.state = 'due';
      pending.isRevoked = false;
    }
    this.#lease.heartbeatNow();
  }

  #loseAll(isKnown: boolean): void {
    const how = isKnown ? 'its lease ended' : 'its lease may have run out: redis did not answer';
    this.delivery.asOne(() => {
      for (const { grant, key } of this.requests.held) {
        // Should the server still have it, the next holder recovers it.
        void this.#changes.add('A', key);
        this.lose(grant.id, lostError(grant.token, `is lost, as ${how}`), 'died');
      }
    });
  }

  /** A heartbeat that is refused for good renews no lease: requests would wait in vain, and end. */
  #heartbeatFailed(error: unknown): void {
    this.#failed(error);
    if (this.#isClosed || error instanceof UnavailableError) return;
    const awaited = this.requests.pending.filter(({ state }) => state !== 'late');
    this.withdraw(
      awaited.map(({ request }) => request),
      error,
    );
  }

  #failed(error: unknown): void {
    if (this.#isClosed) return;
    if (!(error instanceof UnavailableError)) {
      this.#warn(error instanceof Error ? error.message : String(error));
      return;
    }
    this.#lease.suspect();
    const nowMs = this.clock.nowMs();
    this.#downSinceMs ??= nowMs;
    for (const { request, sinceMs, state } of this.requests.pending) {
      const downMs = nowMs - Math.max(sinceMs, this.#downSinceMs);
      if (state === 'late' || downMs < outageMsMax) continue;
      this.withdraw([request], outOfReach(downMs, error));
    }
  }

  /** Of no request in particular: once for each text. */
  #warn(text: string): void {
    if (this.#warnings.size >= 100 || this.#warnings.has(text)) return;
    this.#warnings.add(text);
    process.emitWarning(escaped(text), { type: 'KdsWarning', code: 'KDS_PROTOCOL' });
  }
}

function changeKindOf(operation: Exclude<Operation, { do: 'cancel' }>): ChangeKind {
  if (operation.do === 'downgrade') return 'D';
  if (operation.do === 'abandon') return 'A';
  return operation.part === undefined ? 'R' : 'P';
}
