/**
 * A client's connection to the broker, and the next one when that is lost.
 *
 * What is expected of the broker, and what is held, is kept here until it is over. When a
 * connection is lost, a broker is reached anew, or started; first it is told what is held, with the
 * tokens; then whatever is still expected is asked again, with the places it had. What cannot be
 * claimed is lost. A request that nobody waits for any more is not asked again, and a grant that
 * was released meanwhile is not claimed: so all that needs no answer need not be kept.
 *
 * While something is expected, the socket keeps the process alive; else it does not.
 */

import type { Socket } from 'node:net';
import type { Capability } from '../../../api/domain.ts';
import {
  DomainClosedError,
  KdsError,
  LimitError,
  ProtocolError,
  UnavailableError,
} from '../../../api/errors.ts';
import type { EventDomain } from '../../../api/events.ts';
import { RemoteLink } from '../../../remote/backend.ts';
import type { RemoteGrant } from '../../../remote/grant.ts';
import type { RemoteRequest } from '../../../remote/request.ts';
import type { RemoteRef } from '../../../remote/resources.ts';
import type { RemoteSession } from '../../../remote/session.ts';
import {
  clearRealTimeout,
  queueRealMicrotask,
  realNowMs,
  setRealTimeout,
} from '../../../runtime/real-time.ts';
import { type OwnSign, putUpSign } from '../wire/abstract-sockets.ts';
import { errorReceived } from '../wire/errors.ts';
import { encodeFrame, type Frame, FrameDecoder } from '../wire/frames.ts';
import { frameBytesMax, replyBytesMax, sessionCountMax } from '../wire/limits.ts';
import type {
  BrokerSnapshot,
  BrokerSnapshotEntry,
  ClientMessage,
  Hello,
  Reclaim,
} from '../wire/messages.ts';
import { type BrokerPlace, reachBroker } from './connect.ts';
import { greet } from './handshake.ts';
import { Asked } from './pending-request.ts';

/** For so long a broker is looked for, in ms, before those who wait are told that there is none. */
const reachMsMax = 10_000;
/** Between two attempts, in ms: it doubles each time. */
const pauseMsMin = 5;
const pauseMsMax = 200;
/** For so long the end of a domain waits for the broker's word, in ms. */
const partingMsMax = 1000;

/** Those with something to write: no release is lost if the process exits right after it. */
const dueLinks = new Set<Link>();
/** One listener serves all links that a process ever has. */
let isExitHeard = false;

function hearExit(): void {
  if (isExitHeard) return;
  isExitHeard = true;
  process.once('exit', () => {
    for (const link of dueLinks) link.flush();
  });
}

/** What is to be answered. */
export interface Expected {
  readonly id: number;
  /** What is said to the broker, and said again to the next one. */
  message(): ClientMessage;
  hear(frame: Frame): void;
  refuse(reason: unknown): void;
  /** The connection is lost, and it is not to be said again. */
  readonly disconnected?: () => void;
}

const capabilities: ReadonlySet<Capability> = new Set<Capability>([
  'settled',
  'downgrade',
  'part-release',
  'steal',
]);

export class Link extends RemoteLink<BrokerSnapshot> {
  readonly capabilities = capabilities;
  override readonly eventDomain: EventDomain;
  /** Of the broker that answered last. */
  brokerPid = 0;
  readonly #grants = new Map<number, RemoteGrant>();
  /** The greatest token of a grant; 0 before the first. */
  #tokenSeen = 0;
  readonly #place: BrokerPlace;
  readonly #hello: Hello;
  /** In the order in which they were made. */
  readonly #expected = new Map<number, Expected>();
  /** Sessions that the broker has been told of by way of this connection. */
  readonly #begun = new Set<number>();
  #socket: Socket | undefined;
  /** While connected, or on the way to the next broker: what is held or awaited may be claimed. */
  #sign: OwnSign | undefined;
  /** `down`: without a connection, and nobody needs one. */
  #state: 'down' | 'reaching' | 'open' | 'closed' = 'down';
  #unsent: string[] = [];
  #isFlushDue = false;
  readonly #flushDue = (): void => this.flush();

  constructor(place: BrokerPlace, hello: Hello) {
    super();
    this.#place = place;
    this.#hello = hello;
    this.eventDomain = { backend: 'broker', name: place.socketPath, label: hello.label };
    hearExit();
  }

  /** @throws UnavailableError, ProtocolError */
  async open(): Promise<void> {
    this.#state = 'reaching';
    this.#adopt(await this.#reach());
  }

  ask(request: RemoteRequest): void {
    this.#expect(new Asked(this, request));
  }

  ended({ id }: RemoteRequest): void {
    const asked = this.#expected.get(id);
    if (asked === undefined) return;
    (asked as Asked).end();
    this.#forget(asked);
  }

  cancel(requests: readonly RemoteRequest[]): void {
    const ids = requests.map(({ id }) => id);
    if (ids.length > 0) this.#tell({ do: 'cancel', ids });
  }

  held(grant: RemoteGrant): void {
    this.#grants.set(grant.id, grant);
    if (grant.token > this.#tokenSeen) this.#tokenSeen = grant.token;
  }

  over({ id }: RemoteGrant): void {
    this.#grants.delete(id);
  }

  release({ id }: RemoteGrant, part?: readonly RemoteRef[]): void {
    this.#tell({ do: 'release', id, ...(part !== undefined && { part }) });
  }

  downgrade({ id }: RemoteGrant, part?: readonly RemoteRef[]): void {
    this.#tell({ do: 'downgrade', id, ...(part !== undefined && { part }) });
  }

  abandon({ id }: RemoteGrant): void {
    this.#tell({ do: 'abandon', id });
  }

  /** Of other clients too. A closed session can be asked as well. */
  async query(): Promise<BrokerSnapshot> {
    const { held, pending } = (await this.#ask({ do: 'query' })) as unknown as BrokerSnapshot;
    return { held: held.map(entryOf), pending: pending.map(entryOf) };
  }

  /** Asks, and asks again should the broker die, until it is answered or forgotten. */
  #expect(expected: Expected): void {
    this.#expected.set(expected.id, expected);
    if (this.#expected.size === 1) this.#socket?.ref();
    if (this.#state === 'open') this.#say(expected);
    else if (this.#state === 'down') void this.#reachAgain();
  }

  /** Asks what is to be known of a request that waits. Returns what withdraws the question. */
  askBesides(expected: Expected): () => void {
    this.#expect(expected);
    return () => {
      if (this.#forget(expected)) this.#tell({ do: 'cancel', ids: [expected.id] });
    };
  }

  /** Asks what is answered once, and returns the answer. */
  #ask(asked: { do: 'query' } | { do: 'close'; resource: string | number }): Promise<Frame> {
    if (this.#isClosed()) return Promise.reject(new DomainClosedError('the domain is closed'));
    return new Promise((resolve, reject) => {
      const id = this.nextId();
      const refuse = (reason: unknown): void => {
        this.#forget(expected);
        reject(reason);
      };
      const hear = (frame: Frame): void => {
        this.#forget(expected);
        if (frame['is'] === 'refused') reject(errorReceived(frame));
        else resolve(frame);
      };
      const expected: Expected = { id, message: () => ({ ...asked, id }), hear, refuse };
      this.#expect(expected);
    });
  }

  /** False if it was not expected. */
  #forget({ id }: Expected): boolean {
    if (!this.#expected.delete(id)) return false;
    if (this.#expected.size === 0) this.#socket?.unref();
    return true;
  }

  /** Tells what needs no answer; if there is nobody to tell, there is no need to. */
  #tell(message: ClientMessage): void {
    if (this.#state !== 'open') return;
    this.#unsent.push(encodeFrame(message));
    this.#flushSoon();
  }

  /**
   * The broker is to know of a session, and of those around it, before it is told of anything that
   * goes through it.
   *
   * @throws LimitError if that would be more than the broker keeps for one client.
   */
  sessionSent(session: RemoteSession): number {
    if (this.#state !== 'open') return session.number;
    const unsent: RemoteSession[] = [];
    let at = session;
    for (; at.parent !== undefined && !this.#begun.has(at.number); at = at.parent) unsent.push(at);
    // The domain itself is one of them, there.
    if (this.#begun.size + unsent.length >= sessionCountMax) {
      throw new LimitError(
        `one client has at most ${sessionCountMax} sessions at the broker: close some first`,
      );
    }
    for (const { number, parent, label } of unsent.reverse()) {
      this.#begun.add(number);
      const named = label === undefined ? {} : { label };
      const frame = {
        do: 'session',
        session: number,
        parent: parent?.number ?? 0,
        ...named,
      } as const;
      this.#unsent.push(encodeFrame(frame));
    }
    return session.number;
  }

  async endSession({ number }: RemoteSession<BrokerSnapshot>): Promise<void> {
    await this.#end(number);
  }

  /** The broker is to release and cancel what went through a session. Resolves when it has. */
  async #end(session: number): Promise<void> {
    // A session that it was not told of, or by way of a connection that is lost, is over there.
    if (this.#state !== 'open' || (session !== 0 && !this.#begun.delete(session))) return;
    const id = this.nextId();
    await new Promise<void>((resolve) => {
      const over = (): void => {
        this.#forget(expected);
        resolve();
      };
      const message = (): ClientMessage => ({ do: 'end', id, session });
      const expected: Expected = { id, message, hear: over, refuse: over, disconnected: over };
      this.#expect(expected);
    });
  }

  protected async closeResource(resource: RemoteRef): Promise<void> {
    await this.#ask({ do: 'close', resource });
  }

  /** Ends the connection, once the broker has heard that this is in order, or says nothing. */
  async close(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const isLate = new Promise<void>((resolve) => {
      timer = setRealTimeout(resolve, partingMsMax);
    });
    await Promise.race([this.#end(0), isLate]);
    clearRealTimeout(timer);
    this.#state = 'closed';
    this.#takeDownSign();
    this.#socket?.destroy();
    this.#refuseAll(new DomainClosedError('the domain was closed while the request waited'));
  }

  /** A connection on which both have said hello; tries again while a broker comes and goes. */
  async #reach(isAgain = false): Promise<Socket> {
    const untilMs = realNowMs() + reachMsMax;
    for (let pauseMs = pauseMsMin; ; pauseMs = Math.min(pauseMs * 2, pauseMsMax)) {
      try {
        const socket = await reachBroker(this.#place);
        const seen = this.#tokenSeen === 0 ? {} : { seen: this.#tokenSeen };
        const { pid } = await greet(socket, { ...this.#hello, ...seen });
        this.brokerPid = Number(pid);
        return socket;
      } catch (error) {
        // While nobody can serve, nobody else is granted what is held: one refusal ends nothing.
        const mayPass = isAgain && error instanceof UnavailableError;
        if (error instanceof KdsError && !mayPass) throw error;
        if (error instanceof TypeError) throw error;
        if (realNowMs() > untilMs) {
          const why = error instanceof Error ? error.message : String(error);
          throw new UnavailableError(`no broker has answered for ${reachMsMax} ms: ${why}`);
        }
      }
      await new Promise<void>((resolve) => setRealTimeout(resolve, pauseMs));
    }
  }

  async #reachAgain(): Promise<void> {
    this.#state = 'reaching';
    try {
      const socket = await this.#reach(true);
      if (this.#isClosed()) socket.destroy();
      else this.#adopt(socket);
    } catch (error) {
      if (!this.#isClosed()) this.#giveUp(error);
    }
  }

  /** As another name for it may have closed it meanwhile. */
  #isClosed(): boolean {
    return this.#state === 'closed';
  }

  #adopt(socket: Socket): void {
    const decoder = new FrameDecoder(replyBytesMax);
    socket.on('data', (chunk) => {
      try {
        decoder.push(chunk, (frame) => this.#hear(frame));
      } catch (error) {
        this.#giveUp(error);
      }
      this.delivery.runDirect();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => this.#disconnected(socket));
    this.#socket = socket;
    this.#state = 'open';
    this.#sign ??= putUpSign('client', this.#place.socketPath);
    this.#begun.clear();
    this.#unsent = [];
    if (this.#expected.size === 0) socket.unref();
    for (const grant of this.#grants.values()) {
      this.#unsent.push(encodeFrame(this.#claim(grant)));
    }
    for (const expected of [...this.#expected.values()]) this.#say(expected);
    this.flush();
  }

  #hear(frame: Frame): void {
    const { is, id } = frame;
    if (is === 'error') throw errorReceived(frame);
    if (is === 'lost') {
      const grant = this.#grants.get(id as number);
      grant?.lose();
    } else {
      // What is not expected any more was cancelled, or is a grant that was claimed.
      this.#expected.get(id as number)?.hear(frame);
    }
    this.delivery.runDirect();
  }

  #disconnected(socket: Socket): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    if (this.#state !== 'open') return;
    this.#state = 'down';
    for (const expected of [...this.#expected.values()]) expected.disconnected?.();
    if (this.#expected.size > 0 || this.#grants.size > 0) void this.#reachAgain();
    else this.#takeDownSign();
  }

  #takeDownSign(): void {
    this.#sign?.close();
    this.#sign = undefined;
  }

  /** There is no broker, or none to talk to: whoever waits is told, and what is held is lost. */
  #giveUp(error: unknown): void {
    this.#state = 'down';
    this.#takeDownSign();
    this.#socket?.destroy();
    this.#socket = undefined;
    const reason = error instanceof KdsError ? error : new ProtocolError(String(error));
    this.delivery.asOne(() => {
      for (const grant of [...this.#grants.values()]) grant.lose();
      this.#refuseAll(reason);
    });
  }

  /** What a broker is told that follows the one that gave it. */
  #claim({ id, token, label, sinceMs, set, scope }: RemoteGrant): Reclaim {
    const session = this.sessionSent(scope);
    const named = label === undefined ? {} : { label };
    return { do: 'reclaim', id, session, token, since: sinceMs, ...named, ...set };
  }

  #refuseAll(reason: unknown): void {
    for (const expected of [...this.#expected.values()]) expected.refuse(reason);
  }

  #say(expected: Expected): void {
    let message: ClientMessage;
    try {
      // Before anything is encoded: it may have to tell of a session first.
      message = expected.message();
    } catch (error) {
      expected.refuse(error);
      return;
    }
    const frame = encodeFrame(message);
    // No code unit takes more than three bytes.
    if (frame.length * 3 > frameBytesMax && Buffer.byteLength(frame) - 1 > frameBytesMax) {
      expected.refuse(new LimitError(`a set takes at most ${frameBytesMax} bytes to be told of`));
      return;
    }
    this.#unsent.push(frame);
    this.#flushSoon();
  }

  /** What is said in one go, a release and the next request for one, is written in one go. */
  #flushSoon(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    dueLinks.add(this);
    queueRealMicrotask(this.#flushDue);
  }

  /** Writes what is due; what fits into the socket's buffer is on its way when this returns. */
  flush(): void {
    this.#isFlushDue = false;
    dueLinks.delete(this);
    if (this.#unsent.length === 0) return;
    const frames = this.#unsent.length === 1 ? (this.#unsent[0] as string) : this.#unsent.join('');
    this.#unsent = [];
    this.#socket?.write(frames);
  }
}

/** What JSON leaves out is there, and undefined. */
function entryOf(entry: BrokerSnapshotEntry): BrokerSnapshotEntry {
  const { id, set, label, session, token, since, waitingFor, client } = entry;
  const { number = 0, label: name, pid, command } = client ?? {};
  const whose = client && { number, label: name, pid, command };
  return { id, set, label, session, token, since, waitingFor, client: whose };
}
