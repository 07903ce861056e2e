/**
 * The broker: a domain, and the connections of its clients. Its event loop puts their messages in
 * one order. If the term before ended while clients were connected, there is a time of grace first
 * (grace.ts).
 */

import type { Socket } from 'node:net';
import { type Clock, systemClock } from '../../../runtime/clock.ts';
import type { ServedDomain } from '../../process/domain.ts';
import { allUnreadBytesMax, unreadMsMax } from '../wire/limits.ts';
import { checkSocketPath } from '../wire/socket-path.ts';
import { connectionsPossible, turnAway } from './admission.ts';
import { Capacities } from './capacities.ts';
import { type ConnectedBroker, Connection } from './connection.ts';
import { Grace } from './grace.ts';
import { Pace } from './outbox.ts';
import { Registry } from './registry.ts';
import { Snapshots } from './snapshots.ts';
import { startTerm, type Term } from './term.ts';
import { Tokens } from './tokens.ts';

/** Least time that a broker waits for its first client, ms. */
const firstIdleMsMin = 2000;
/** How often it is seen to that newcomers find this broker, in ms. */
const renewMs = 1000;

export interface BrokerServerOptions {
  /** Where to listen: an absolute path. */
  readonly socketPath: string;
  /** How long to stay without a connection, in ms. Infinity: until it is closed. */
  readonly idleMs: number;
  /** How long clients of a broker that is gone can claim what they hold, in ms. */
  readonly graceMs: number;
  /** How long a client may leave more than 1 MiB unread, in ms. Default: `unreadMsMax`. */
  readonly unreadMsMax?: number;
  /** Default: real time. */
  readonly clock?: Clock;
}

/** Serves a domain until nobody is connected any more, or `close()`. */
export interface RunningBroker {
  readonly socketPath: string;
  /** Resolves when it has ended, by itself or not. */
  readonly ended: Promise<void>;
  /** Cuts all clients off, who may claim what they hold from a broker that follows. */
  close(): Promise<void>;
}

/**
 * Begins to serve. Undefined if somebody else does already.
 *
 * @throws UnavailableError and what the file system refuses with.
 */
export async function serveDomain(
  domain: ServedDomain,
  options: BrokerServerOptions,
): Promise<RunningBroker | undefined> {
  checkSocketPath(options.socketPath);
  const connectionsMax = connectionsPossible();
  // Connections that test whether it serves arrive before its term has started.
  const early: Socket[] = [];
  let broker: Broker | undefined;
  const { clock = systemClock } = options;
  const admit = (socket: Socket): void => {
    if (broker === undefined) early.push(socket);
    else broker.connect(socket);
  };
  const term = await startTerm(options.socketPath, admit, clock);
  if (term === undefined) {
    for (const socket of early) socket.destroy();
    return undefined;
  }
  broker = new Broker(domain, term, connectionsMax, options, clock);
  for (const socket of early) broker.connect(socket);
  return broker;
}

class Broker implements RunningBroker, ConnectedBroker {
  readonly domain: ServedDomain;
  readonly clock: Clock;
  readonly socketPath: string;
  readonly ended: Promise<void>;
  readonly unreadMsMax: number;
  readonly registry = new Registry();
  readonly capacities: Capacities;
  readonly tokens: Tokens;
  readonly grace: Grace;
  readonly snapshots: Snapshots;
  readonly pace = new Pace();
  readonly #term: Term;
  readonly #idleMs: number;
  readonly #connections = new Set<Connection>();
  readonly #connectionsMax: number;
  #connectionCount = 0;
  /** Of all connections. */
  #unreadBytes = 0;
  #stopRenewal: () => void = () => undefined;
  #stopIdle: (() => void) | undefined;
  #isOpen = true;
  #resolveEnded: () => void = () => undefined;

  constructor(
    domain: ServedDomain,
    term: Term,
    connectionsMax: number,
    options: BrokerServerOptions,
    clock: Clock,
  ) {
    const { socketPath, idleMs, graceMs } = options;
    this.domain = domain;
    this.clock = clock;
    this.socketPath = socketPath;
    this.#term = term;
    this.#connectionsMax = connectionsMax;
    this.#idleMs = idleMs;
    this.unreadMsMax = options.unreadMsMax ?? unreadMsMax;
    this.tokens = new Tokens(term, clock.epochMs());
    this.grace = new Grace(clock);
    this.capacities = new Capacities(domain);
    this.snapshots = new Snapshots(domain, this.registry);
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    if (term.hasSurvivingClients) this.grace.begin(graceMs, () => this.#flushAll());
    this.#renewLater();
    // Its clients, if there are any, are to find the other one.
    const isNeeded = (): boolean =>
      this.#stopIdle === undefined || this.grace.isOn || this.#connections.size > 0;
    term.whenOver(() => void this.close(), isNeeded);
    this.#restIfIdle();
  }

  get term(): string {
    return this.#term.name;
  }

  connect(socket: Socket): void {
    if (!this.#isOpen) {
      socket.destroy();
      return;
    }
    if (this.#connections.size >= this.#connectionsMax) {
      turnAway(socket, this.#connectionsMax, this.clock);
      return;
    }
    this.#connectionCount++;
    this.#stopIdle?.();
    this.#connections.add(new Connection(this, socket, this.#connectionCount));
  }

  leave(connection: Connection): void {
    this.#connections.delete(connection);
    this.#restIfIdle();
  }

  /** At too many, the client that leaves most unread is dropped. */
  countUnread(byteCount: number): void {
    this.#unreadBytes += byteCount;
    while (this.#unreadBytes > allUnreadBytesMax) {
      const byUnread = [...this.#connections].sort((a, b) => b.unreadBytes - a.unreadBytes);
      byUnread[0]?.drop();
    }
  }

  async close(): Promise<void> {
    if (this.#isOpen) {
      this.#isOpen = false;
      this.#stopRenewal();
      this.#stopIdle?.();
      const isClean = this.#connections.size === 0 && !this.grace.isOn;
      this.tokens.end(isClean);
      void this.#term.close().then(() => this.#resolveEnded());
      for (const connection of this.#connections) connection.destroy();
      await this.domain.close();
    }
    await this.ended;
  }

  #flushAll(): void {
    for (const connection of this.#connections) connection.flush();
  }

  #restIfIdle(): void {
    if (!this.#isOpen || this.#connections.size > 0) return;
    this.#stopIdle?.();
    if (this.#idleMs === Number.POSITIVE_INFINITY) return;
    const isFirst = this.#connectionCount === 0;
    const idleMs = isFirst ? Math.max(this.#idleMs, firstIdleMsMin) : this.#idleMs;
    this.#stopIdle = this.clock.after(idleMs, () => void this.close());
  }

  #renewLater(): void {
    this.#stopRenewal = this.clock.after(renewMs, () => {
      this.#term.renew();
      this.#renewLater();
    });
  }
}
