/**
 * A connection to the broker, and to the next one when it is lost: as long as its user needs one, a
 * broker is reached again, or started.
 */

import { KdsError, ProtocolError } from '../../../api/errors.ts';
import type { Clock } from '../../../runtime/clock.ts';
import { type OwnSign, putUpSign } from '../wire/abstract-sockets.ts';
import type { Frame } from '../wire/frames.ts';
import type { Hello } from '../wire/messages.ts';
import type { BrokerAddress } from './connect.ts';
import { BrokerConnection } from './connection.ts';
import { type ReachedBroker, reachBroker } from './reach-broker.ts';

export interface ConnectionUser {
  /** Made for each attempt to reach a broker. */
  hello(): Hello;
  /** Whether an answer is awaited, or a grant held. */
  isNeeded(): boolean;
  /** A broker has been reached, which knows nothing of this client yet. */
  onOpen(): void;
  /** May throw: the connection is then of no use. */
  onFrame(frame: Frame): void;
  /** All frames that have arrived together are through. */
  onRead(): void;
  onLost(): void;
  /** No broker can be reached, or none that speaks the protocol. */
  onFailure(reason: KdsError): void;
}

export class ReconnectingConnection {
  /** Of the broker that answered last. */
  brokerPid = 0;
  readonly #address: BrokerAddress;
  readonly #clock: Clock;
  readonly #user: ConnectionUser;
  readonly #connection: BrokerConnection;
  /** While connected, or on the way to the next broker: what is held or awaited may be claimed. */
  #sign: OwnSign | undefined;
  /** `down`: without a connection, and none is needed. */
  #state: 'down' | 'connecting' | 'open' | 'closed' = 'down';

  constructor(address: BrokerAddress, clock: Clock, user: ConnectionUser) {
    this.#address = address;
    this.#clock = clock;
    this.#user = user;
    this.#connection = new BrokerConnection({
      onFrame: (frame) => user.onFrame(frame),
      onRead: () => user.onRead(),
      onError: (error) => this.#fail(error),
      onClose: () => this.#lose(),
    });
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  /** @throws UnavailableError, ProtocolError */
  async open(): Promise<void> {
    this.#state = 'connecting';
    this.#adopt(await this.#reach(false));
  }

  /** Whether it is open. If not, a broker is to be reached, and `onOpen` follows. */
  require(): boolean {
    if (this.#state === 'down') void this.#reconnect();
    return this.isOpen;
  }

  write(frame: string): void {
    this.#connection.write(frame);
  }

  /** Whether the socket is to keep the process alive. */
  keepAlive(isNeeded: boolean): void {
    this.#connection.keepAlive(isNeeded);
  }

  close(): void {
    this.#state = 'closed';
    this.#takeDownSign();
    this.#connection.close();
  }

  /** @throws UnavailableError, ProtocolError */
  #reach(isAgain: boolean): Promise<ReachedBroker> {
    return reachBroker(this.#address, () => this.#user.hello(), this.#clock, isAgain);
  }

  async #reconnect(): Promise<void> {
    this.#state = 'connecting';
    try {
      const reached = await this.#reach(true);
      if (this.isClosed) reached.socket.destroy();
      else this.#adopt(reached);
    } catch (error) {
      if (!this.isClosed) this.#fail(error);
    }
  }

  #adopt({ socket, pid }: ReachedBroker): void {
    this.brokerPid = pid;
    this.#connection.open(socket);
    this.#state = 'open';
    this.#sign ??= putUpSign('client', this.#address.socketPath);
    this.#user.onOpen();
    this.#connection.flush();
  }

  #lose(): void {
    if (this.#state !== 'open') return;
    this.#state = 'down';
    this.#user.onLost();
    if (this.#user.isNeeded()) void this.#reconnect();
    else this.#takeDownSign();
  }

  /** Nothing is kept for a next broker. */
  #fail(error: unknown): void {
    this.#state = 'down';
    this.#takeDownSign();
    this.#connection.close();
    this.#user.onFailure(error instanceof KdsError ? error : new ProtocolError(String(error)));
  }

  #takeDownSign(): void {
    this.#sign?.close();
    this.#sign = undefined;
  }
}
