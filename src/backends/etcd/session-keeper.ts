/**
 * Keeps a client's session with etcd: opens it, and another one after a loss, once a request needs
 * it. Each heartbeat reads what the watch may have missed, and reaps expired sessions.
 */

import { DomainClosedError } from '../../api/errors.ts';
import type { RequestTable } from '../../remote/request-table.ts';
import type { KeepAlive } from './keep-alive.ts';
import {
  type EtcdSession,
  type EtcdSessionConfig,
  openSession,
  type SessionEvents,
} from './leased-session.ts';
import type { Log } from './log.ts';
import type { PendingEtcdRequest } from './pending-request.ts';
import type { SessionReaper } from './session-reaper.ts';

/** Time limit of a linearizable read, ms. */
export const readMsMax = 10_000;

export interface SessionKeeperOptions extends Omit<SessionEvents, 'onLost' | 'onHeartbeat'> {
  readonly config: EtcdSessionConfig;
  readonly log: Log;
  readonly reaper: SessionReaper;
  readonly keepAlive: KeepAlive;
  readonly requests: RequestTable<PendingEtcdRequest>;
  /** The session holds nothing any more; there is no present one. */
  onLost(reason: Error): void;
  /** Another session is open. */
  onOpenAgain(): void;
}

export class SessionKeeper {
  readonly #options: SessionKeeperOptions;
  #present: EtcdSession | undefined;
  /** `down`: without a session, and none is needed. */
  #state: 'opening' | 'open' | 'down' | 'closed' = 'opening';
  /** The error after which the log cannot be followed any more. */
  #broken: unknown;

  constructor(options: SessionKeeperOptions) {
    this.#options = options;
  }

  get present(): EtcdSession | undefined {
    return this.#present;
  }

  /** Of the present session; '' if there is none. */
  get id(): string {
    return this.#present?.id ?? '';
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  /** Undefined as long as the log can be followed. */
  get broken(): unknown {
    return this.#broken;
  }

  /** @throws the error after which no request can be made. */
  checkUsable(): void {
    if (this.#state === 'closed') throw new DomainClosedError('the domain is closed');
    if (this.#broken !== undefined) throw this.#broken;
  }

  /** @throws UnavailableError, ProtocolError, LimitError */
  async open(): Promise<void> {
    const { log, keepAlive } = this.#options;
    await keepAlive.during(async () => {
      await this.#openSession();
      try {
        await log.open();
        this.checkUsable();
      } catch (error) {
        log.close();
        await this.#present?.leased.close();
        throw error;
      }
    });
    // The session may have been lost since; a request then opens another one.
    this.#state = this.#present === undefined ? 'down' : 'open';
    this.reap();
  }

  /** A request needs a session. */
  need(): void {
    if (this.#state === 'down') void this.#openAgain();
  }

  /** Loses the session if its lease is over by this process's clock. */
  check(): void {
    this.#present?.leased.check();
  }

  /** Loses the session if the log has its key no more: another client, or etcd, has ended it. */
  checkLog(): void {
    const { replica } = this.#options.log;
    const session = this.#present;
    if (session === undefined || replica.revision < session.createRevision) return;
    if (!replica.sessions.has(session.id)) session.leased.lose('etcd has ended its session');
  }

  /** Reaps expired sessions, if any. */
  reap(): void {
    if (this.#state === 'open') this.#options.reaper.check(this.id);
  }

  /** The log cannot be followed: so nothing more can be known. */
  giveUp(error: unknown): void {
    if (this.#state === 'closed') return;
    this.#broken = error;
    this.#present?.leased.lose(`the log cannot be read: ${error}`);
    this.#options.requests.refuseAll(error);
  }

  async close(): Promise<void> {
    const session = this.#present;
    const { log, reaper } = this.#options;
    this.#state = 'closed';
    log.close();
    reaper.close();
    session?.outbox.close();
    await session?.leased.close();
  }

  async #openSession(): Promise<void> {
    const { config, log, ...events } = this.#options;
    this.#present = await openSession(config, log, {
      onLost: (reason) => this.#lost(reason),
      onHeartbeat: () => this.#catchUp(),
      onRefused: (own, error) => events.onRefused(own, error),
      onMissed: (own) => events.onMissed(own),
      onUnfit: (own) => events.onUnfit(own),
    });
  }

  #catchUp(): void {
    // A log that is out of reach is read at the next heartbeat.
    const { log, reaper } = this.#options;
    const caughtUp = (): void => {
      this.reap();
      if (this.#state === 'open') void reaper.dropCapacities(this.id);
    };
    log
      .reach(readMsMax)
      .then(caughtUp)
      .catch(() => undefined);
  }

  #lost(reason: Error): void {
    const session = this.#present;
    if (session === undefined || this.#state === 'closed') return;
    const { requests, onLost } = this.#options;
    this.#present = undefined;
    this.#state = 'down';
    session.outbox.close();
    onLost(reason);
    if (requests.pendingCount > 0 && this.#broken === undefined) void this.#openAgain();
  }

  async #openAgain(): Promise<void> {
    const { keepAlive, requests, onOpenAgain } = this.#options;
    this.#state = 'opening';
    try {
      await keepAlive.during(() => this.#openSession());
    } catch (error) {
      if (this.isClosed) return;
      this.#state = 'down';
      requests.refuseAll(error);
      return;
    }
    if (this.isClosed || this.#broken !== undefined) {
      await this.#present?.leased.close();
      return;
    }
    this.#state = 'open';
    onOpenAgain();
    this.reap();
  }
}
