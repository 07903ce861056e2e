/**
 * Keeps a client's session with the server: opens it, and the next one after a loss. When the
 * server answers again, what was due is sent, and what may have been missed is audited.
 */

import type { RequestTable } from '../../remote/request-table.ts';
import type { Clock } from '../../runtime/clock.ts';
import { audit } from './audit.ts';
import { Changes } from './changes.ts';
import type { RedisConnection } from './connection.ts';
import { type RedisRenewal, RedisSession } from './leased-session.ts';
import type { PendingRedisRequest } from './pending-request.ts';
import { Reach } from './reach.ts';
import { Receiver } from './receiver.ts';
import type { Scripts } from './scripts.ts';
import { checkServer } from './server-kind.ts';
import { SubscriptionCheck } from './subscription-check.ts';
import { Warnings } from './warnings.ts';

export interface SessionKeeperOptions {
  readonly connection: RedisConnection;
  readonly clock: Clock;
  readonly requests: RequestTable<PendingRedisRequest>;
  readonly scripts: Scripts;
  readonly channel: string;
  /** A name that no other client has, without a dot. */
  readonly client: string;
  readonly leaseMs: number;
  /** Description of the client for people: JSON. */
  readonly about: string;
  /** Sends a request that is due. */
  send(pending: PendingRedisRequest): void;
  /** The time of a request is over. */
  timeOut(pending: PendingRedisRequest, timeoutMs: number): void;
}

export class SessionKeeper {
  readonly session: RedisSession;
  readonly changes: Changes;
  readonly receiver: Receiver;
  readonly reach: Reach;
  readonly #options: SessionKeeperOptions;
  readonly #subscription: SubscriptionCheck;

  constructor(options: SessionKeeperOptions) {
    const { connection, clock, requests, scripts, channel, client, leaseMs, about } = options;
    this.#options = options;
    this.session = new RedisSession({
      scripts,
      clock,
      client,
      leaseMs,
      about,
      onRenewed: (renewal) => this.#renewed(renewal),
      onRunOut: () => {
        this.receiver.lostAll(false);
        this.changes.giveUp();
      },
      onExpired: () => this.#expired(),
      onFailed: (error) => this.reach.heartbeatFailed(error),
    });
    const { session } = this;
    const warnings = new Warnings();
    this.reach = new Reach({ clock, requests, session, warnings });
    this.changes = new Changes(scripts, {
      session,
      onReply: (reply, server) => this.receiver.reply(reply, server),
      onError: (error) => this.reach.failed(error),
    });
    this.receiver = new Receiver({
      requests,
      clock,
      session,
      changes: this.changes,
      reach: this.reach,
      warnings,
      client,
      send: (pending) => {
        if (session.isUp) options.send(pending);
      },
      timeOut: options.timeOut,
    });
    this.#subscription = new SubscriptionCheck({
      connection,
      clock,
      channel,
      leaseMs,
      isUp: () => session.isUp,
      inTime: (reply) => scripts.inTime(reply),
      onRenewed: () => this.#reconnected(),
    });
  }

  /**
   * Begins a session, once the client is connected.
   *
   * @throws UnavailableError if it is not, within ten seconds; UnsupportedError if the server is of
   * a kind that cannot be used; the error with which the server refuses.
   */
  async open(): Promise<void> {
    const { connection, scripts, channel } = this.#options;
    await this.reach.whenReached(() => checkServer(scripts));
    await this.reach.whenReached(() => scripts.load());
    const onMessage = (text: string): void => {
      if (!this.#subscription.take(text)) this.receiver.message(text);
    };
    await this.reach.whenReached(() => scripts.inTime(connection.subscribe(channel, onMessage)));
    await this.reach.whenReached(() => this.session.open());
    connection.onReconnect(() => this.#reconnected());
    this.#subscription.start();
  }

  /** Nothing new is sent from here on. */
  beginEnd(): void {
    this.reach.close();
    this.#subscription.stop();
  }

  async end(): Promise<void> {
    await this.session.close();
    this.changes.giveUp();
    await this.#options.connection.close();
  }

  #reconnected(): void {
    // It may be another server, which has not received all that this client sent.
    this.session.isAuditDue = true;
    this.session.heartbeatNow();
  }

  #renewed({ reply, notifiedCount, numberTop }: RedisRenewal): void {
    const { server } = this.session;
    this.receiver.reply(reply, server);
    this.reach.answered();
    this.changes.resume();
    this.changes.flush();
    for (const pending of this.#options.requests.pending) {
      if (pending.state === 'due') this.#options.send(pending);
    }
    if (!this.session.isAuditDue && !server.hasMissed(notifiedCount, numberTop)) return;
    this.session.isAuditDue = false;
    const { requests, scripts } = this.#options;
    audit({ requests, scripts, session: this.session, receiver: this.receiver }, server).then(
      (isKnown) => isKnown || this.session.heartbeatNow(),
      (error) => {
        this.session.isAuditDue = true;
        this.reach.failed(error);
      },
    );
  }

  /** The server has ended the session: its grants, and the queue positions of its requests. */
  #expired(): void {
    this.receiver.lostAll(true);
    this.changes.forget();
    for (const pending of this.#options.requests.pending) this.receiver.forgetKey(pending);
  }
}
