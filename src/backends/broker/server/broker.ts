/**
 * The broker: a domain, and the connections of those who use it. Its event loop puts what they say
 * in one order.
 *
 * If the life before ended while clients were connected, there is a time of grace first. Who held
 * something then claims it; whatever else is asked for is kept, and asked of the domain at its end:
 * first those who had a place with the broker that is gone, in that order, then the others as they
 * came. So nobody is granted what a live client still holds, if that client comes in time.
 *
 * Tokens and places are told beyond those of all lives before: by an offset that is the time of
 * day in µs, or the last life's mark, or the highest token that was claimed, whichever is greatest.
 */

import type { Socket } from 'node:net';
import { ResourceBusyError } from '../../../api/errors.ts';
import type { SyncGrant } from '../../../api/grant.ts';
import type { OuterGrant } from '../../../api/outer-grants.ts';
import { describe } from '../../../api/sets.ts';
import { Deadline } from '../../../runtime/deadline.ts';
import type { ServedDomain } from '../../process/domain.ts';
import {
  allLiveBytesMax,
  allUnreadBytesMax,
  tokenMax,
  tokenStartMax,
  unreadMsMax,
} from '../wire/limits.ts';
import { checkPlace } from '../wire/socket-path.ts';
import { connectionsPossible, turnAway } from './admission.ts';
import { Connection } from './connection.ts';
import type { LiveRequest, ServedSession } from './live-request.ts';
import { Snapshots } from './snapshots.ts';
import { beginLife, type Life } from './term.ts';

/** So many tokens are set aside at once: the next life begins beyond them. */
const tokensReserved = 2 ** 30;
/** Whoever starts a broker needs a while to come, in ms. */
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
  /** How long a client may leave more than 1 MiB unread, in ms: `unreadMsMax`, if not told. */
  readonly unreadMsMax?: number;
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
  checkPlace(options.socketPath);
  const connectionsMax = connectionsPossible();
  // Those who look whether it lives come before it knows that it does.
  const early: Socket[] = [];
  let broker: Broker | undefined;
  const life = await beginLife(options.socketPath, (socket) => {
    if (broker === undefined) early.push(socket);
    else broker.connect(socket);
  });
  if (life === undefined) {
    for (const socket of early) socket.destroy();
    return undefined;
  }
  broker = new Broker(domain, life, connectionsMax, options);
  for (const socket of early) broker.connect(socket);
  return broker;
}

export class Broker implements RunningBroker {
  readonly domain: ServedDomain;
  readonly socketPath: string;
  readonly ended: Promise<void>;
  /** What all that waits or is held is taken to cost in memory. */
  liveBytes = 0;
  readonly unreadMsMax: number;
  /** By the token of the domain's grant. */
  readonly held = new Map<number, LiveRequest>();
  /** By the owner id of the domain's session. */
  readonly sessions = new Map<number, ServedSession>();
  readonly snapshots = new Snapshots(this);
  readonly #life: Life;
  readonly #idleMs: number;
  readonly #connections = new Set<Connection>();
  readonly #connectionsMax: number;
  readonly #renewal: ReturnType<typeof setInterval>;
  #graceEndsMs: number;
  #deferred: { readonly by: Connection; readonly request: LiveRequest }[] = [];
  #connectionCount = 0;
  #ownerLast = 0;
  /** Of all connections. */
  #unreadBytes = 0;
  #offset: number;
  #tokenLast: number;
  #reservedUpTo = 0;
  #placeLast = 0;
  #idle: Deadline | undefined;
  #isOpen = true;
  #isStealing = false;
  #tellEnded: () => void = () => undefined;

  constructor(
    domain: ServedDomain,
    life: Life,
    connectionsMax: number,
    options: BrokerServerOptions,
  ) {
    const { socketPath, idleMs, graceMs } = options;
    this.domain = domain;
    this.socketPath = socketPath;
    this.#life = life;
    this.#connectionsMax = connectionsMax;
    this.#idleMs = idleMs;
    this.unreadMsMax = options.unreadMsMax ?? unreadMsMax;
    const clock = Math.floor(Math.max(0, Math.min(Date.now() * 1000, tokenStartMax)));
    this.#offset = Math.max(clock, life.tokensBefore);
    this.#tokenLast = this.#offset;
    this.#placeLast = this.#offset;
    this.ended = new Promise((resolve) => {
      this.#tellEnded = resolve;
    });
    this.#reserve(this.#offset);
    this.#graceEndsMs = life.hasHeirs ? performance.now() + graceMs : 0;
    if (life.hasHeirs) new Deadline(graceMs, () => this.#endGrace());
    this.#renewal = setInterval(() => life.renew(), renewMs);
    // Its clients, if there are any, are to find the other one.
    const isNeeded = (): boolean =>
      this.#idle === undefined || this.isInGrace || this.#connections.size > 0;
    life.whenOver(() => void this.close(), isNeeded);
    this.#restIfIdle();
  }

  get life(): string {
    return this.#life.name;
  }

  /** What is left of the time of grace. */
  get graceMs(): number {
    if (!this.isInGrace) return 0;
    return Math.max(1, Math.ceil(this.#graceEndsMs - performance.now()));
  }

  /** Whether what was held can be claimed; what is asked for has to wait for that. */
  get isInGrace(): boolean {
    return this.#graceEndsMs > 0;
  }

  connect(socket: Socket): void {
    if (!this.#isOpen) {
      socket.destroy();
      return;
    }
    if (this.#connections.size >= this.#connectionsMax) {
      turnAway(socket, this.#connectionsMax);
      return;
    }
    this.#connectionCount++;
    this.#idle?.cancel();
    this.#connections.add(new Connection(this, socket, this.#connectionCount));
  }

  leave(connection: Connection): void {
    this.#connections.delete(connection);
    this.#restIfIdle();
  }

  defer(by: Connection, request: LiveRequest): void {
    this.#deferred.push({ by, request });
    if (request.place <= tokenMax) this.#placeLast = Math.max(this.#placeLast, request.place);
  }

  nextOwner(): number {
    this.#ownerLast++;
    return this.#ownerLast;
  }

  nextPlace(): number {
    this.#placeLast++;
    return this.#placeLast;
  }

  /** The token of a grant of the domain, as clients are told. */
  tokenOf(grant: SyncGrant): number {
    this.#tokenLast = this.#offset + grant.token;
    if (this.#tokenLast > this.#reservedUpTo) this.#reserve(this.#tokenLast);
    return this.#tokenLast;
  }

  /** Tokens are greater from now on. */
  passToken(token: number): void {
    if (token <= this.#offset) return;
    this.#offset = token;
    this.#tokenLast = token;
    if (token > this.#reservedUpTo) this.#reserve(token);
  }

  /** The last life gave this token, and others since, of which nobody may be left to tell. */
  passSeen(token: number): void {
    if (this.isInGrace && token <= tokenStartMax) this.passToken(token + tokensReserved);
  }

  /**
   * Something is about to be stolen. That takes time in proportion to all that is held, and is done
   * seldom; a signal for each grant would take half as long as the grant itself, each time.
   */
  expectLosses(): void {
    this.#isStealing = true;
  }

  /** After a theft: those who were robbed are told. */
  tellLosses(): void {
    if (!this.#isStealing) return;
    this.#isStealing = false;
    for (const request of [...this.held.values()]) {
      if (request.grant?.isHeld === false) request.owner.lose(request);
    }
  }

  /** What lives of grants that a client was started under. */
  liveAmong(outer: readonly OuterGrant[]): readonly LiveRequest[] {
    const isMeant = ({ token, owner }: LiveRequest): boolean =>
      outer.some((each) => each.token === token && each.pid === owner.info?.pid);
    return [...this.held.values()].filter(isMeant);
  }

  /** A client leaves so many bytes more unread, or less. At too many, who leaves most goes. */
  countUnread(byteCount: number): void {
    this.#unreadBytes += byteCount;
    while (this.#unreadBytes > allUnreadBytesMax) {
      const byUnread = [...this.#connections].sort((a, b) => b.unreadBytes - a.unreadBytes);
      byUnread[0]?.drop();
    }
  }

  hasRoomFor(byteCount: number): boolean {
    return this.liveBytes + byteCount <= allLiveBytesMax;
  }

  busyError(name: string): ResourceBusyError {
    return new ResourceBusyError(
      `resource ${describe(name)} is held or waited for: release or cancel first`,
    );
  }

  async close(): Promise<void> {
    if (this.#isOpen) {
      this.#isOpen = false;
      clearInterval(this.#renewal);
      this.#idle?.cancel();
      const isClean = this.#connections.size === 0 && !this.isInGrace;
      this.#life.noteTokens(Math.max(this.#tokenLast, this.#placeLast), isClean);
      void this.#life.close().then(() => this.#tellEnded());
      for (const connection of this.#connections) connection.destroy();
      await this.domain.close();
    }
    await this.ended;
  }

  /** What was asked for in the time of grace is asked of the domain. */
  #endGrace(): void {
    this.#graceEndsMs = 0;
    const deferred = this.#deferred;
    this.#deferred = [];
    const placeOf = ({ place }: LiveRequest): number => place || Number.POSITIVE_INFINITY;
    // Those without a place stay as they came: Infinity less Infinity is no number, so 0.
    deferred.sort((a, b) => placeOf(a.request) - placeOf(b.request) || 0);
    for (const { by, request } of deferred) by.admit(request);
    for (const connection of this.#connections) connection.flush();
  }

  #restIfIdle(): void {
    if (!this.#isOpen || this.#connections.size > 0) return;
    this.#idle?.cancel();
    if (this.#idleMs === Number.POSITIVE_INFINITY) return;
    const isFirst = this.#connectionCount === 0;
    const idleMs = isFirst ? Math.max(this.#idleMs, firstIdleMsMin) : this.#idleMs;
    this.#idle = new Deadline(idleMs, () => void this.close());
  }

  #reserve(token: number): void {
    this.#reservedUpTo = token + tokensReserved;
    this.#life.noteTokens(this.#reservedUpTo);
  }
}
