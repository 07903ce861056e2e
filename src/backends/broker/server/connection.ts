/**
 * One client of the broker: its messages are applied, in order, to sessions of the domain.
 *
 * Messages to the client are collected while a chunk of its frames is handled, or until the next
 * microtask, and written at once. When its socket closes, all that it waits for is cancelled and
 * all that it holds is abandoned at one moment, as nothing else runs meanwhile: the next holders
 * see it in `recovered`.
 */

import type { Socket } from 'node:net';
import { endTogether } from '../../../api/ending.ts';
import {
  DomainClosedError,
  isKdsError,
  KdsError,
  LimitError,
  ProtocolError,
  ResourceBusyError,
} from '../../../api/errors.ts';
import type { SyncGrant } from '../../../api/grant.ts';
import { labelLengthMax } from '../../../api/limits.ts';
import type { OuterGrant } from '../../../api/outer-grants.ts';
import { versionMismatch } from '../../../api/refusals.ts';
import { describe, type SetSpec } from '../../../api/sets.ts';
import { lostError } from '../../../remote/lost-error.ts';
import type { Clock } from '../../../runtime/clock.ts';
import type { ServedDomain } from '../../process/domain.ts';
import { errorSent } from '../wire/errors.ts';
import { type Frame, FrameDecoder } from '../wire/frames.ts';
import {
  frameBytesMax,
  helloMsMax,
  liveBytesMax,
  protocolVersion,
  queryCountMax,
  requestBytes,
  requestCountMax,
  resourceBytes,
  restart,
  sessionCountMax,
  unreadBytesMax,
  unreadBytesPaused,
} from '../wire/limits.ts';
import {
  type Ask,
  type BrokerMessage,
  type ClientInfo,
  type ClientMessage,
  type Hello,
  type Reclaim,
  readClientMessage,
} from '../wire/messages.ts';
import type { Capacities } from './capacities.ts';
import type { Grace } from './grace.ts';
import { changeGrant, endsGrant, type GrantChange } from './grant-changes.ts';
import { describeSession, LiveRequest, type Owner, type ServedSession } from './live-request.ts';
import { Outbox, type Pace } from './outbox.ts';
import { PrivateResources } from './private-resources.ts';
import type { Registry } from './registry.ts';
import type { Snapshots } from './snapshots.ts';
import type { Tokens } from './tokens.ts';
import { UnitCalls } from './unit-calls.ts';

type Message<Do extends ClientMessage['do']> = Extract<ClientMessage, { readonly do: Do }>;

/** The broker, as its connections use it. */
export interface ConnectedBroker {
  readonly clock: Clock;
  readonly domain: ServedDomain;
  readonly registry: Registry;
  readonly capacities: Capacities;
  readonly tokens: Tokens;
  readonly grace: Grace;
  readonly snapshots: Snapshots;
  readonly pace: Pace;
  /** The name of its term. */
  readonly term: string;
  readonly unreadMsMax: number;
  /** A client leaves that many bytes more unread, or less. */
  countUnread(byteCount: number): void;
  leave(connection: Connection): void;
}

export class Connection implements Owner {
  readonly number: number;
  readonly requests = new Map<number, LiveRequest>();
  info: ClientInfo | undefined = undefined;
  /** While it is so much that nothing more is read until it has been. */
  unreadBytes = 0;
  readonly #broker: ConnectedBroker;
  readonly #socket: Socket;
  readonly #decoder = new FrameDecoder(frameBytesMax);
  readonly #sessions = new Map<number, ServedSession>();
  readonly #privates: PrivateResources;
  readonly #unitCalls: UnitCalls;
  readonly #outbox: Outbox;
  /** Grants it was started under, as its hello has them; those found, after its first request. */
  #under: readonly OuterGrant[] = [];
  #outer: readonly LiveRequest[] | undefined = undefined;
  #liveBytes = 0;
  #queryCount = 0;
  #isOpen = true;
  #stopTimer: () => void;

  constructor(broker: ConnectedBroker, socket: Socket, number: number) {
    this.#broker = broker;
    this.#socket = socket;
    this.number = number;
    this.#outbox = new Outbox(broker.pace, {
      write: (parts) => this.#write(parts),
      drop: () => this.drop(),
    });
    this.#privates = new PrivateResources(
      () => broker.domain.resource(),
      (resource) => broker.capacities.forget(resource),
    );
    this.#unitCalls = new UnitCalls(broker, this, this.#privates);
    this.#stopTimer = broker.clock.after(helloMsMax, () => {
      this.#cutOff(new ProtocolError(`no hello came within ${helloMsMax} ms`));
    });
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('drain', () => this.#resume());
    // What went wrong with a socket is of no interest: it closes.
    socket.on('error', () => undefined);
    socket.on('close', () => this.#closed());
  }

  /** Requests from the domain what arrived in the time of grace, as if it arrived now. */
  admit(request: LiveRequest): void {
    const { deferred } = request;
    if (deferred === undefined) return;
    request.deferred = undefined;
    const { ask, arrivedMs } = deferred;
    const { timeoutMs } = ask;
    const waitedMs = this.#broker.clock.nowMs() - arrivedMs;
    const leftMs = timeoutMs === undefined ? undefined : Math.max(0, timeoutMs - waitedMs);
    this.#ask(request, leftMs === undefined ? ask : { ...ask, timeoutMs: leftMs });
  }

  /**
   * The broker ends. What it holds is left to the end of the domain: until all connections are cut
   * off, nothing may be granted to others that its client can still claim from the next broker.
   */
  destroy(): void {
    this.#outbox.flushAll();
    this.#outbox.close();
    this.#isOpen = false;
    this.#socket.destroy();
    this.#stopTimer();
  }

  flush(): void {
    this.#outbox.flush();
  }

  #write(parts: readonly (string | Buffer)[]): void {
    if (!this.#isOpen) return;
    for (const part of parts) this.#socket.write(part);
    const unreadBytes = this.#socket.writableLength;
    if (unreadBytes <= unreadBytesPaused) return;
    if (!this.#socket.isPaused()) {
      this.#socket.pause();
      this.#expectToRead();
    }
    if (unreadBytes > unreadBytesMax) this.drop();
    else this.#countUnread(unreadBytes);
  }

  /** It is cut off without a word, which it would not read. */
  drop(): void {
    this.#socket.destroy();
    this.#die();
    this.#countUnread(0);
  }

  #resume(): void {
    if (!this.#socket.isPaused()) return;
    this.#countUnread(0);
    this.#stopTimer();
    this.#socket.resume();
  }

  #expectToRead(): void {
    const { clock, unreadMsMax } = this.#broker;
    this.#stopTimer = clock.after(unreadMsMax, () => this.#socket.destroy());
  }

  #countUnread(byteCount: number): void {
    const before = this.unreadBytes;
    this.unreadBytes = byteCount;
    this.#broker.countUnread(byteCount - before);
  }

  #receive(chunk: Buffer): void {
    this.#broker.pace.begin();
    try {
      this.#decoder.push(chunk, (frame, byteCount) => {
        // Frames after one that was invalid are ignored.
        if (this.#isOpen) this.#handle(frame, byteCount);
      });
    } catch (error) {
      // Anything else is a fault of the broker. It had better start anew: no client loses by that.
      if (!(error instanceof KdsError)) throw error;
      this.#cutOff(error);
    }
    this.flush();
  }

  #handle(frame: Frame, byteCount: number): void {
    const message = readClientMessage(frame);
    if (this.info === undefined) {
      if (message.do !== 'hello') throw new ProtocolError('the first message must be hello');
      this.#handshake(message);
      return;
    }
    switch (message.do) {
      case 'acquire':
      case 'try':
      case 'settled':
        this.#arrive(message, byteCount);
        break;
      case 'release':
      case 'downgrade':
      case 'abandon':
        this.#change(message);
        break;
      case 'cancel':
        this.#cancel(message.ids);
        break;
      case 'query':
        this.#query(message.id);
        break;
      default:
        this.#handleRare(message, byteCount);
    }
  }

  #handleRare(message: ClientMessage, byteCount: number): void {
    switch (message.do) {
      case 'reclaim':
        this.#reclaim(message, byteCount);
        break;
      case 'session':
        this.#begin(message);
        break;
      case 'end':
        this.#end(message.id, message.session ?? 0);
        break;
      case 'close':
        this.#close(message);
        break;
      case 'declare':
        this.#unitCalls.declare(message, byteCount);
        break;
      case 'capacity':
      case 'upgrade':
        this.#unitCalls.call(message);
        break;
      default:
        throw new ProtocolError(`a client sends ${message.do} once, at the beginning`);
    }
  }

  #handshake({ version, label, pid, command, under = [], seen }: Hello): void {
    if (version !== protocolVersion) {
      throw versionMismatch('the client', version, protocolVersion, restart);
    }
    this.#stopTimer();
    this.info = { number: this.number, label, pid, command };
    this.#under = under;
    this.#open(0, undefined, label);
    const { term, grace, tokens } = this.#broker;
    if (seen !== undefined && grace.isOn) tokens.passSeen(seen);
    const broker = { term, pid: process.pid, graceMs: grace.leftMs };
    this.send({ is: 'hello', version, client: this.number, ...broker });
  }

  #arrive(ask: Ask, byteCount: number): void {
    const request = this.#addRequest(ask, byteCount);
    if (request === undefined) return;
    request.queuePosition = ask.queuePosition ?? 0;
    const { clock, grace, tokens } = this.#broker;
    if (grace.isOn) {
      request.deferred = { ask, arrivedMs: clock.nowMs() };
      grace.defer(this, request);
      tokens.passPosition(request.queuePosition);
    } else {
      this.#ask(request, ask);
    }
  }

  /** Counts a request from now on; undefined if it is refused, as over a limit or too late. */
  #addRequest({ id, session = 0, parts }: Ask | Reclaim, frameBytes: number) {
    if (this.requests.has(id)) throw new ProtocolError(`there is a request ${id} already`);
    const served = this.#session(session);
    const byteCount = frameBytes + requestBytes + parts.length * resourceBytes;
    const request = new LiveRequest(id, this, served, byteCount);
    const fault = this.#overLimit(byteCount);
    if (fault !== undefined || served.isEnded) {
      const reason = fault ?? new DomainClosedError(`session ${session} has ended`);
      this.sendRefusal(id, reason);
      return undefined;
    }
    this.requests.set(id, request);
    this.#liveBytes += byteCount;
    this.#broker.registry.countLive(byteCount);
    return request;
  }

  #overLimit(byteCount: number): LimitError | undefined {
    if (this.requests.size >= requestCountMax) {
      return new LimitError(`one client has at most ${requestCountMax} sets at the broker`);
    }
    if (
      this.#liveBytes + byteCount <= liveBytesMax &&
      this.#broker.registry.hasRoomFor(byteCount)
    ) {
      return undefined;
    }
    return new LimitError('the names of the sets that wait and are held take too much memory');
  }

  #ask(request: LiveRequest, ask: Ask): void {
    const { session } = request.served;
    try {
      const set = this.#privates.setOf(ask.parts);
      const { timeoutMs, label, locked, steal } = ask;
      if (ask.do === 'settled') {
        this.#observe(request, set, timeoutMs);
      } else {
        if (steal === true) this.#broker.registry.expectLosses();
        const holding = this.#kept(ask);
        const waiter = session.enqueue(set, (grant) => this.#granted(request, grant), {
          delivery: 'direct',
          onRefused: (reason) => this.#refuse(request, reason),
          timeoutMs: ask.do === 'try' ? 0 : timeoutMs,
          label,
          locked,
          steal,
          holding,
        });
        if (request.grant === undefined) request.waiter = waiter;
      }
    } catch (error) {
      if (ask.do === 'try' && isKdsError(error, 'KDS_WAIT_TIMEOUT')) this.#deny(request);
      else this.#refuse(request, error);
      return;
    }
    if (request.grant !== undefined || !this.requests.has(request.id)) return;
    request.queuePosition = this.#broker.tokens.nextPosition();
    this.send({ is: 'waiting', id: request.id, queuePosition: request.queuePosition });
  }

  #observe(request: LiveRequest, set: SetSpec, timeoutMs: number | undefined): void {
    const observing = new AbortController();
    request.observing = observing;
    const { signal } = observing;
    request.served.session.settled(set, { signal, timeoutMs }).then(
      () => {
        if (this.#forget(request)) this.send({ is: 'settled', id: request.id });
      },
      (reason) => this.#refuse(request, reason),
    );
  }

  #granted(request: LiveRequest, grant: SyncGrant): void {
    const { registry, tokens } = this.#broker;
    // A loss is reported before the grant that follows from it.
    registry.reportLosses();
    request.waiter = undefined;
    request.grant = grant;
    if (request.token === 0) request.token = tokens.of(grant);
    registry.held.set(grant.token, request);
    const { id, token } = request;
    this.#outbox.add((): BrokerMessage => {
      const { recovered, ignored } = grant;
      const units = this.#unitCalls.unitsOf(grant);
      return {
        is: 'granted',
        id,
        token,
        ...(recovered.length > 0 && { recovered }),
        ...(ignored.length > 0 && { ignored }),
        ...(units.length > 0 && { units }),
      };
    });
  }

  /** It is known until its refusal is encoded; one that ends before gets no refusal. */
  #refuse(request: LiveRequest, reason: unknown): void {
    this.#outbox.add((): BrokerMessage | undefined => {
      if (!this.#forget(request) || request.served.isEnded) return undefined;
      return { is: 'refused', id: request.id, ...errorSent(reason) };
    });
  }

  sendRefusal(id: number, reason: unknown): void {
    this.send({ is: 'refused', id, ...errorSent(reason) });
  }

  #deny(request: LiveRequest): void {
    if (this.#forget(request)) this.send({ is: 'denied', id: request.id });
  }

  /** Its grant was revoked, or cannot be claimed any more. */
  lose(request: LiveRequest): void {
    if (!this.#forget(request) || request.served.isEnded) return;
    const { id, token } = request;
    this.send({ is: 'lost', id, ...errorSent(lostError(token)) });
  }

  #reclaim(reclaim: Reclaim, byteCount: number): void {
    const request = this.#addRequest(reclaim, byteCount);
    if (request === undefined) return;
    const { token, since, label, parts, units = [] } = reclaim;
    request.token = token;
    request.sinceMs = since;
    try {
      if (!this.#broker.grace.isOn) throw lostError(token);
      this.#broker.tokens.pass(token);
      const claimed = this.#unitCalls.claimed(this.#privates.setOf(parts), units);
      this.#granted(request, this.#broker.grace.reclaims.grant(request, claimed, label));
    } catch {
      this.lose(request);
    }
  }

  /** Has no answer. Without such a grant it is ignored: the loss has been or will be reported. */
  #change(change: GrantChange): void {
    const request = this.requests.get(change.id);
    const grant = request?.grant;
    if (request === undefined || grant === undefined) return;
    this.#unitCalls.denyUpgradesOf(change.id);
    if (endsGrant(change)) this.#forget(request);
    changeGrant(grant, change, this.#privates);
    // The grant ends with its last part.
    if (!grant.isHeld) this.#forget(request);
  }

  #cancel(ids: readonly number[]): void {
    const requests = ids.flatMap((id) => this.requests.get(id) ?? []);
    this.#drop(requests, false);
  }

  /** These are not wanted any more, whatever has become of them. All end at one moment. */
  #drop(requests: readonly LiveRequest[], isDead: boolean): void {
    const dropped = requests.filter((request) => this.#forget(request));
    for (const { observing } of dropped) observing?.abort();
    const ended = dropped.flatMap(({ waiter, grant }) => waiter ?? grant ?? []);
    endTogether(this.#broker.domain, ended, isDead);
  }

  #begin({ session, parent = 0, label }: Message<'session'>): void {
    if (this.#sessions.has(session)) throw new ProtocolError(`there is a session ${session}`);
    if (this.#sessions.size >= sessionCountMax) {
      throw new ProtocolError(`one client has at most ${sessionCountMax} sessions`);
    }
    this.#open(session, this.#session(parent), label);
  }

  #open(number: number, parent: ServedSession | undefined, label: string | undefined): void {
    if (label !== undefined && label.length > labelLengthMax) {
      throw new ProtocolError(`a label has at most ${labelLengthMax} code units`);
    }
    const owner = this.#broker.registry.nextOwner();
    const name = describeSession(number, label, this.info);
    const session = (parent?.session ?? this.#broker.domain).session({ label: name, owner });
    const served = { session, owner, parent, client: this.info, label, isEnded: false };
    this.#sessions.set(number, served);
    this.#broker.registry.sessions.set(owner, served);
  }

  /** A session ends in order: its grants are released, and nothing of them is `recovered`. */
  #end(id: number, number: number): void {
    const ended = this.#session(number);
    for (const [each, served] of this.#sessions) {
      let at: ServedSession | undefined = served;
      while (at !== undefined && at !== ended) at = at.parent;
      if (at === undefined) continue;
      served.isEnded = true;
      this.#forgetSession(each, served);
    }
    // First what the domain does not know of.
    for (const request of this.requests.values()) {
      if (request.deferred !== undefined && request.served.isEnded) this.#forget(request);
    }
    void ended.session.close();
    for (const request of this.requests.values()) {
      if (request.served.isEnded) this.#forget(request);
    }
    this.send({ is: 'ended', id });
  }

  #forgetSession(number: number, { owner }: ServedSession): void {
    // The connection itself stays known: what comes after its end is refused, not wrong.
    if (number !== 0) this.#sessions.delete(number);
    this.#broker.registry.sessions.delete(owner);
  }

  #query(id: number): void {
    if (this.#queryCount >= queryCountMax) {
      const reason = `one client has at most ${queryCountMax} queries at the broker`;
      this.sendRefusal(id, new LimitError(reason));
      return;
    }
    this.#queryCount++;
    this.#broker.snapshots.query((result) => {
      this.#queryCount--;
      if (result instanceof Error) {
        this.sendRefusal(id, result);
        return;
      }
      this.#outbox.add([`{"is":"snapshot","id":${id},`, ...result]);
    });
  }

  #close({ id, resource }: Message<'close'>): void {
    const handle = this.#privates.refOf(resource);
    if (this.#broker.domain.isUsed(handle)) {
      const what = `resource ${describe(String(handle))}`;
      const error = `${what} is held or waited for: release or cancel first`;
      this.sendRefusal(id, new ResourceBusyError(error));
      return;
    }
    this.#privates.close(resource);
    this.send({ is: 'closed', id });
  }

  #session(number: number): ServedSession {
    const served = this.#sessions.get(number);
    if (served === undefined) throw new ProtocolError(`there is no session ${number}`);
    return served;
  }

  /** Grants kept while a set waits: those that its request names, and those of outer callers. */
  #kept({ holding }: Ask): readonly SyncGrant[] | undefined {
    if (holding === undefined && this.#under.length === 0) return undefined;
    const own = (holding ?? []).map((id) => this.requests.get(id));
    // Not before: their holders may have had to claim them in the time of grace.
    this.#outer ??= this.#broker.registry.liveAmong(this.#under);
    return [...own, ...this.#outer].flatMap((request) => request?.grant ?? []);
  }

  /** False if it had ended before. */
  #forget(request: LiveRequest): boolean {
    if (this.requests.get(request.id) !== request) return false;
    this.requests.delete(request.id);
    this.#liveBytes -= request.byteCount;
    this.#broker.registry.countLive(-request.byteCount);
    request.deferred = undefined;
    this.#broker.grace.reclaims.remove(request);
    if (request.grant !== undefined) this.#broker.registry.held.delete(request.grant.token);
    return true;
  }

  send(message: BrokerMessage): void {
    this.#outbox.add(message);
  }

  /** Sends the reason; what the client sends from now on is ignored. */
  #cutOff(error: KdsError): void {
    this.send({ is: 'error', version: protocolVersion, ...errorSent(error) });
    this.#outbox.flushAll();
    this.#socket.destroySoon();
    this.#die();
    // The socket closes once the client has read all, or its time to do so is over.
    this.#expectToRead();
  }

  /** The socket is closed, and with it what it has not read is gone. */
  #closed(): void {
    this.#die();
    this.#stopTimer();
    this.#countUnread(0);
    this.#broker.leave(this);
  }

  /** All that it waits for and holds ends at one moment. */
  #die(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#outbox.close();
    this.#stopTimer();
    this.#drop([...this.requests.values()], true);
    for (const [number, served] of this.#sessions) {
      this.#forgetSession(number, served);
      if (served.parent === undefined) void served.session.close();
    }
    this.#unitCalls.end();
    this.#privates.closeAll();
  }
}
