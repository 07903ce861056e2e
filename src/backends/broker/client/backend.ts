/**
 * The port of a client to the broker, and to the next one when the connection is lost.
 *
 * When a connection is lost, a broker is reached again, or started. It first receives what is held,
 * with the tokens; then all that still waits for an answer, with the queue positions it had. What
 * cannot be claimed is lost. A request that has ended is not repeated, and a grant that was
 * released meanwhile is not claimed, so operations without an answer need not be kept.
 *
 * While an answer is awaited, the socket keeps the process alive; otherwise it does not.
 */

import type { Capability } from '../../../api/domain.ts';
import {
  DomainClosedError,
  type KdsError,
  LimitError,
  WaitTimeoutError,
} from '../../../api/errors.ts';
import type { EventDomain } from '../../../api/events.ts';
import { decodeSet } from '../../../api/mode.ts';
import type { Capacity, ReadCapacity } from '../../../api/units.ts';
import type { BackendPort } from '../../../remote/backend.ts';
import type { RemoteGrant } from '../../../remote/grant.ts';
import type { GrantedEvent, GrantedUnits, Operation } from '../../../remote/protocol.ts';
import type { RemoteRequest } from '../../../remote/request.ts';
import { RequestTable } from '../../../remote/request-table.ts';
import type { RemoteRef } from '../../../remote/resources.ts';
import type { RemoteScope } from '../../../remote/scope.ts';
import type { Clock } from '../../../runtime/clock.ts';
import { within } from '../../../runtime/within.ts';
import { errorReceived } from '../wire/errors.ts';
import { encodeFrame, type Frame } from '../wire/frames.ts';
import type {
  BrokerSnapshot,
  BrokerSnapshotEntry,
  ClientMessage,
  Declare,
  Hello,
  SentEntry,
  SentSnapshot,
  SentUnits,
  Upgrade,
} from '../wire/messages.ts';
import type { BrokerAddress } from './connect.ts';
import { DeclaredCapacities } from './declared-capacities.ts';
import {
  askMessage,
  claimMessage,
  encodeClaim,
  encodeMessage,
  explainMessage,
  type PendingBrokerRequest,
} from './pending-request.ts';
import { ReconnectingConnection } from './reconnecting-connection.ts';
import { SentSessions } from './sent-sessions.ts';

/** Time limit of the broker's answer to the end of a domain, ms. */
const partingMsMax = 1000;
/**
 * The broker ends a wait in time, as it knows the blockers. If no answer has come this much later,
 * ms, it is queried for them: its timers may not be those of this process.
 */
const patienceMs = 100;
/** Time limit of that answer, ms: the broker is unavailable then. */
const silenceMsMax = 5000;
const brokersTime = { keepsAlive: true, isReal: true };

/** A call, but for its id. */
type CallMessage =
  | { readonly do: 'query' }
  | { readonly do: 'close' | 'capacity'; readonly resource: RemoteRef }
  | Omit<Declare, 'id'>
  | Omit<Upgrade, 'id'>;

/** A call, answered once; requests are apart. It is repeated at the next broker. */
interface Call {
  readonly id: number;
  message(): ClientMessage;
  receive(frame: Frame): void;
  refuse(reason: unknown): void;
  /** The connection is lost, and the call is not to be sent again. */
  readonly disconnected?: () => void;
}

const capabilities: ReadonlySet<Capability> = new Set<Capability>([
  'settled',
  'downgrade',
  'part-release',
  'steal',
  'units',
]);

export class BrokerBackend implements BackendPort<BrokerSnapshot, PendingBrokerRequest> {
  readonly capabilities = capabilities;
  readonly eventDomain: EventDomain;
  readonly clock: Clock;
  readonly requests = new RequestTable<PendingBrokerRequest>({
    send: (operation) => this.send(operation),
    keepAlive: () => this.#keepAlive(),
  });
  /** The greatest token of a grant; 0 before the first. */
  #tokenSeen = 0;
  readonly #hello: Hello;
  readonly #calls = new Map<number, Call>();
  readonly #sessions = new SentSessions();
  readonly #capacities = new DeclaredCapacities();
  /** With their numbers, by which the next broker knows them. */
  readonly #units = new WeakMap<RemoteGrant, readonly SentUnits[]>();
  readonly #connection: ReconnectingConnection;

  constructor(address: BrokerAddress, hello: Hello, clock: Clock) {
    this.clock = clock;
    this.#hello = hello;
    this.eventDomain = { backend: 'broker', name: address.socketPath, label: hello.label };
    this.#connection = new ReconnectingConnection(address, clock, {
      hello: () =>
        this.#tokenSeen === 0 ? this.#hello : { ...this.#hello, seen: this.#tokenSeen },
      isNeeded: () =>
        this.#isAnswerAwaited || this.requests.heldCount > 0 || this.#capacities.count > 0,
      onOpen: () => this.#adopt(),
      onFrame: (frame) => this.#receiveFrame(frame),
      onRead: () => this.requests.delivery.runDirect(),
      onLost: () => {
        for (const call of [...this.#calls.values()]) call.disconnected?.();
      },
      onFailure: (reason) => this.#giveUp(reason),
    });
  }

  /** Of the broker that answered last. */
  get brokerPid(): number {
    return this.#connection.brokerPid;
  }

  /** @throws UnavailableError, ProtocolError */
  open(): Promise<void> {
    return this.#connection.open();
  }

  // ---- Requests and grants

  createPending(request: RemoteRequest): PendingBrokerRequest {
    return {
      request,
      key: undefined,
      dispose: () => undefined,
      startMs: this.clock.nowMs(),
      queuePosition: undefined,
    };
  }

  ask(pending: PendingBrokerRequest): void {
    if (pending.request.terms.timeoutMs === 0) this.#giveUpIn(silenceMsMax, pending, 0);
    // Its whole time, however long it took to come here: an error names that.
    if (this.#connection.require()) this.#sendRequest(pending, pending.startMs);
  }

  /** Without a connection there is no broker that would have to know. */
  send(operation: Operation): void {
    if (this.#connection.isOpen) this.#connection.write(encodeFrame(operation));
  }

  #keepAlive(): void {
    this.#connection.keepAlive(this.#isAnswerAwaited);
  }

  timeOut(pending: PendingBrokerRequest, timeoutMs: number): void {
    const explain = (): void => this.#explain(pending, timeoutMs);
    pending.dispose = this.clock.after(patienceMs, explain, brokersTime);
  }

  #explain(pending: PendingBrokerRequest, timeoutMs: number): void {
    this.#giveUpIn(silenceMsMax, pending, timeoutMs);
    const { dispose } = pending;
    const id = this.requests.nextId();
    const refuse = (reason: unknown): void => this.#refuseLate(pending, timeoutMs, reason);
    const call: Call = {
      id,
      message: () => explainMessage(this.#messageOf(pending, this.clock.nowMs()), id),
      receive: (frame) => {
        if (frame['is'] === 'refused') refuse(errorReceived(frame));
        else if (frame['is'] !== 'waiting') refuse(undefined);
      },
      refuse,
    };
    pending.dispose = () => {
      dispose();
      if (this.#forget(call)) this.send({ do: 'cancel', ids: [id] });
    };
    this.#start(call);
  }

  #refuseLate({ request }: PendingBrokerRequest, timeoutMs: number, reason: unknown): void {
    const isKnown = reason instanceof WaitTimeoutError;
    const why = isKnown ? reason.message.replace(/^not \w+ (within 0 ms|now)/, '') : '';
    const what = request.terms.how === 'settled' ? 'settled' : 'granted';
    this.requests.withdraw(
      [request],
      new WaitTimeoutError(`not ${what} within ${timeoutMs} ms${why}`),
    );
  }

  #giveUpIn(delayMs: number, pending: PendingBrokerRequest, timeoutMs: number): void {
    const giveUp = (): void => {
      const why = `not granted within ${timeoutMs} ms, and the broker does not answer`;
      const advice = 'see whether it is stopped or cannot be started';
      this.requests.withdraw([pending.request], new WaitTimeoutError(`${why}: ${advice}`));
    };
    pending.dispose = this.clock.after(delayMs, giveUp, brokersTime);
  }

  #sendRequest(pending: PendingBrokerRequest, nowMs: number): void {
    try {
      this.#connection.write(encodeMessage(this.#messageOf(pending, nowMs)));
    } catch (error) {
      this.requests.refuse(pending.request, error);
    }
  }

  #messageOf(pending: PendingBrokerRequest, nowMs: number) {
    return askMessage(pending, this.#sendSession(pending.request.scope), nowMs);
  }

  // ---- Calls

  /** Of other clients too. A closed session works as well. */
  async query(): Promise<BrokerSnapshot> {
    const answer = (await this.#call({ do: 'query' })) as unknown as SentSnapshot;
    const { held, pending, capacities } = answer;
    const lists = { held: held.map(entryOf), pending: pending.map(entryOf) };
    return capacities === undefined ? lists : { ...lists, capacities };
  }

  async closeResource(resource: RemoteRef): Promise<void> {
    await this.#call({ do: 'close', resource });
    if (typeof resource === 'number') this.#capacities.delete(resource);
  }

  async setCapacity(resource: RemoteRef, { count, names }: ReadCapacity): Promise<void> {
    const capacity = names ?? count;
    const { order } = await this.#call({ do: 'declare', resource, capacity });
    this.#capacities.add({ resource, capacity, order: order as number });
  }

  async capacityOf(resource: RemoteRef): Promise<Capacity | undefined> {
    const { capacity } = await this.#call({ do: 'capacity', resource });
    return capacity as Capacity | undefined;
  }

  async tryUpgrade(
    id: number,
    part: readonly RemoteRef[],
  ): Promise<readonly GrantedUnits[] | undefined> {
    const answer = await this.#call({ do: 'upgrade', grant: id, part });
    if (answer['is'] !== 'upgraded') return undefined;
    const units = (answer['units'] ?? []) as readonly SentUnits[];
    const grant = this.requests.heldOf(id)?.grant;
    if (grant !== undefined) this.#keepUnits(grant, units);
    return units.map(grantedUnitsOf);
  }

  #call(operation: CallMessage): Promise<Frame> {
    const { isClosed } = this.#connection;
    if (isClosed) return Promise.reject(new DomainClosedError('the domain is closed'));
    return new Promise((resolve, reject) => {
      const id = this.requests.nextId();
      const call: Call = {
        id,
        message: () => ({ ...operation, id }) as ClientMessage,
        receive: (frame) => {
          this.#forget(call);
          if (frame['is'] === 'refused') reject(errorReceived(frame));
          else resolve(frame);
        },
        refuse: (reason) => {
          this.#forget(call);
          reject(reason);
        },
      };
      this.#start(call);
    });
  }

  #start(call: Call): void {
    this.#calls.set(call.id, call);
    this.#keepAlive();
    if (this.#connection.require()) this.#sendCall(call);
  }

  #sendCall(call: Call): void {
    try {
      this.#connection.write(encodeMessage(call.message()));
    } catch (error) {
      call.refuse(error);
    }
  }

  /** False if the call was not awaited. */
  #forget({ id }: Call): boolean {
    if (!this.#calls.delete(id)) return false;
    this.#keepAlive();
    return true;
  }

  get #isAnswerAwaited(): boolean {
    return this.requests.pendingCount + this.#calls.size > 0;
  }

  // ---- Sessions

  /** Returns the session's number, which the broker knows. @throws LimitError */
  #sendSession(session: RemoteScope): number {
    if (this.#connection.isOpen) {
      this.#sessions.send(session, (message) => this.#connection.write(encodeFrame(message)));
    }
    return session.number;
  }

  async endSession({ number }: RemoteScope): Promise<void> {
    await this.#end(number);
  }

  /** The broker is to release and cancel what went through a session. Resolves when it has. */
  async #end(session: number): Promise<void> {
    // A session that the broker does not know is over there, as is one of a lost connection.
    if (!this.#connection.isOpen || (session !== 0 && !this.#sessions.delete(session))) return;
    await new Promise<void>((resolve) => {
      const over = (): void => {
        this.#forget(call);
        resolve();
      };
      const id = this.requests.nextId();
      const message = (): ClientMessage => ({ do: 'end', id, session });
      const call: Call = { id, message, receive: over, refuse: over, disconnected: over };
      this.#start(call);
    });
  }

  /** Ends the connection, once the broker has confirmed the end, or does not answer in time. */
  async close(): Promise<void> {
    await within(this.clock, partingMsMax, this.#end(0));
    this.#connection.close();
    this.#refuseAll(new DomainClosedError('the domain was closed while the request waited'));
  }

  // ---- The connection

  /**
   * Declares its capacities again, claims what is held, and asks again for all that is awaited, in
   * the order it was made.
   */
  #adopt(): void {
    this.#sessions.clear();
    this.#keepAlive();
    this.#declareAgain();
    for (const { grant } of this.requests.held) {
      const session = this.#sendSession(grant.scope);
      const claim = encodeClaim(claimMessage(grant, session, this.#units.get(grant) ?? []));
      if (claim === undefined) this.requests.lose(grant);
      else this.#connection.write(claim);
    }
    const calls = [...this.#calls.values()];
    for (const pending of this.requests.pending) {
      while (calls[0] !== undefined && calls[0].id < pending.request.id) {
        this.#sendCall(calls.shift() as Call);
      }
      this.#sendRequest(pending, this.clock.nowMs());
    }
    for (const call of calls) this.#sendCall(call);
  }

  /** The answers are not awaited: one that is refused now is not in force. */
  #declareAgain(): void {
    for (const declaration of this.#capacities.all) {
      const message: Declare = { do: 'declare', id: this.requests.nextId(), ...declaration };
      try {
        this.#connection.write(encodeMessage(message));
      } catch (error) {
        // With its order it is just too long: it is known to those that have its units.
        if (!(error instanceof LimitError)) throw error;
      }
    }
  }

  #receiveFrame(frame: Frame): void {
    const { is } = frame;
    const id = frame['id'] as number;
    if (is === 'error') throw errorReceived(frame);
    const call = this.#calls.get(id);
    if (call !== undefined) call.receive(frame);
    // What is not awaited any more was cancelled, or is a grant that was claimed.
    else if (is === 'lost') this.requests.receive({ is, id });
    else if (is === 'granted') this.#receiveGrant(frame);
    else if (is === 'refused') this.requests.receive({ is, id, reason: errorReceived(frame) });
    else if (is === 'waiting') {
      const pending = this.requests.pendingOf(id);
      // The next broker reports it once more.
      if (pending?.queuePosition === undefined) this.requests.receive({ is, id });
      if (pending !== undefined) pending.queuePosition = frame['queuePosition'] as number;
    } else this.requests.receive({ is: 'settled', id });
    this.requests.delivery.runDirect();
  }

  #receiveGrant({ units, ...frame }: Frame): void {
    const event = frame as unknown as GrantedEvent;
    if (this.requests.pendingOf(event.id) === undefined) return;
    this.#tokenSeen = Math.max(this.#tokenSeen, event.token);
    if (units === undefined) {
      this.requests.receive(event);
      return;
    }
    const sent = units as readonly SentUnits[];
    this.requests.receive({ ...event, units: sent.map(grantedUnitsOf) });
    const held = this.requests.heldOf(event.id);
    if (held !== undefined) this.#keepUnits(held.grant, sent);
  }

  #keepUnits(grant: RemoteGrant, units: readonly SentUnits[]): void {
    const byResource = new Map(this.#units.get(grant)?.map((each) => [each.resource, each]));
    for (const each of units) byResource.set(each.resource, each);
    this.#units.set(grant, [...byResource.values()]);
  }

  /** Nothing is kept for a next broker. */
  #giveUp(reason: KdsError): void {
    this.requests.delivery.asOne(() => {
      for (const { grant } of this.requests.held) this.requests.lose(grant);
      this.#refuseAll(reason);
    });
  }

  #refuseAll(reason: unknown): void {
    this.requests.refuseAll(reason);
    for (const call of [...this.#calls.values()]) call.refuse(reason);
  }
}

/** What JSON leaves out is there, and undefined. */
function entryOf(entry: SentEntry): BrokerSnapshotEntry {
  const { id, parts, label, session, token, since, waitingFor, units, client } = entry;
  const { number = 0, label: name, pid, command } = client ?? {};
  const owner = client && { number, label: name, pid, command };
  const set = decodeSet(parts) ?? { exclusive: [], shared: [] };
  const named = { id, set, label, session, token, since, waitingFor };
  return { ...named, ...(units !== undefined && { units }), client: owner };
}

function grantedUnitsOf({ resource, ranges, names }: SentUnits): GrantedUnits {
  return [resource, names ?? ranges];
}
