/**
 * The port of a client in Redis: requests and operations are calls of scripts, by the numbers under
 * which the server knows them.
 *
 * While the server does not answer, only heartbeats are sent. Once it does, changes are sent first,
 * then the requests that still wait, by the same number if they may have arrived. A grant is lost
 * when the lease may have run out.
 */

import type { Capability } from '../../api/domain.ts';
import { DomainClosedError } from '../../api/errors.ts';
import type { EventDomain } from '../../api/events.ts';
import type { RequestKey } from '../../api/outer-grants.ts';
import type { BackendPort, LeftBehind } from '../../remote/backend.ts';
import type { Operation } from '../../remote/protocol.ts';
import type { RemoteRequest } from '../../remote/request.ts';
import { RequestTable } from '../../remote/request-table.ts';
import type { RemoteRef } from '../../remote/resources.ts';
import type { RemoteScope } from '../../remote/scope.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { RedisConnection } from './connection.ts';
import { keyNameOf, rootOf } from './names.ts';
import type { PendingRedisRequest } from './pending-request.ts';
import { checkUnused } from './resource-use.ts';
import { Scripts } from './scripts.ts';
import { Sender } from './sender.ts';
import { SessionKeeper } from './session-keeper.ts';
import { type RedisSnapshot, takeSnapshot } from './snapshot.ts';

/** Time limit of a call, ms: a third of the lease, within these. */
const callMsMin = 1000;
const callMsMax = 10_000;
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

export class RedisBackend implements BackendPort<RedisSnapshot, PendingRedisRequest> {
  readonly capabilities = capabilities;
  readonly eventDomain: EventDomain;
  readonly clock: Clock;
  readonly requests = new RequestTable<PendingRedisRequest>({
    send: (operation) => this.send(operation),
  });
  readonly #client: string;
  readonly #root: string;
  readonly #scripts: Scripts;
  readonly #keeper: SessionKeeper;
  readonly #sender: Sender;

  constructor(options: RedisBackendOptions) {
    const { connection, clock, name, label, client, leaseMs, about, outer = [] } = options;
    const { requests } = this;
    this.clock = clock;
    this.eventDomain = { backend: 'redis', name, label };
    this.#client = client;
    this.#root = rootOf(name);
    const callMs = Math.min(Math.max(leaseMs / 3, callMsMin), callMsMax);
    const scripts = new Scripts(connection, clock, this.#root, callMs);
    this.#scripts = scripts;
    this.#keeper = new SessionKeeper({
      connection,
      clock,
      requests,
      scripts,
      channel: `${this.#root}c:${client}`,
      client,
      leaseMs,
      about,
      send: (pending) => this.#sender.enqueue(pending),
      timeOut: (pending, timeoutMs) => this.timeOut(pending, timeoutMs),
    });
    const { session, changes, receiver } = this.#keeper;
    this.#sender = new Sender({
      requests,
      clock,
      scripts,
      session,
      changes,
      client,
      outer,
      onAnswer: (pending, key, reply) => receiver.answered(pending, key, reply),
      onNoAnswer: (pending, key, error) => receiver.unanswered(pending, key, error),
    });
  }

  /** As {@link SessionKeeper.open}. */
  async open(): Promise<void> {
    await this.#keeper.open();
  }

  checkLease(): void {
    this.#keeper.session.check();
  }

  keyOf(id: number): RequestKey | undefined {
    const key = this.requests.heldOf(id)?.key;
    return key && { session: key.session.id, number: key.number };
  }

  createPending(request: RemoteRequest): PendingRedisRequest {
    return {
      request,
      key: undefined,
      dispose: () => undefined,
      sinceMs: this.clock.nowMs(),
      state: 'due',
      isRevoked: false,
    };
  }

  ask(pending: PendingRedisRequest): void {
    const { session } = this.#keeper;
    if (session.isUp) this.#sender.enqueue(pending);
    else session.heartbeatNow();
  }

  send(operation: Operation): Promise<void> {
    return this.#sender.send(operation);
  }

  timeOut(pending: PendingRedisRequest, timeoutMs: number): void {
    this.#sender.timeOut(pending, timeoutMs);
  }

  async query(): Promise<RedisSnapshot> {
    const { reach, session } = this.#keeper;
    this.#flush();
    return reach.whenReached(() => takeSnapshot(this.#scripts, session.server.id));
  }

  async closeResource(resource: RemoteRef): Promise<void> {
    this.#flush();
    const keyName = keyNameOf(resource, this.#client);
    await this.#keeper.reach.whenReached(() => checkUnused(this.#scripts, this.#root, keyName));
  }

  /** What is due is sent before a call that only reads. @throws DomainClosedError */
  #flush(): void {
    const { reach, changes } = this.#keeper;
    if (reach.isClosed) throw new DomainClosedError('the domain is closed');
    changes.flush();
  }

  async endSession(_: RemoteScope, left: LeftBehind): Promise<void> {
    const released = this.#endAll(left);
    this.#keeper.changes.flush();
    await released;
  }

  async close(left: LeftBehind): Promise<void> {
    this.#keeper.beginEnd();
    void this.#endAll(left);
    this.#keeper.changes.flush();
    await this.#keeper.end();
  }

  /** Resolves when the grants are released at the server. */
  async #endAll({ requests, grants }: LeftBehind): Promise<void> {
    void this.send({ do: 'cancel', ids: requests.map(({ id }) => id) });
    await Promise.all(grants.map(({ id }) => this.send({ do: 'release', id })));
  }
}
