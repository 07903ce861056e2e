/**
 * The way between a client and the server, and the client library at its end.
 *
 * Two connections, as the adapters have: one for commands, one for messages. On each, what is sent
 * arrives in order, some time later; between the two there is no order. A connection that is cut
 * loses what is under way, but for some first part of what the client had sent, which may reach
 * the server late, even after the client has come back by another one. Of a command that was not
 * answered nobody knows whether it has run. Then the library reports that, or sends it again;
 * both kinds are in use. A message that finds nobody is gone.
 */

import type { RedisConnection, RedisReply } from '../../src/backends/redis/connection.ts';
import type { Machine } from '../machine.ts';
import type { SeededRandom } from '../random.ts';
import type { World } from '../world.ts';
import { RedisError, type Reply } from './lua.ts';
import type { Peer, SimulatedServer } from './server.ts';
import { fromBytes, toBytes } from './wire.ts';

/** How good the network is. All times in ms of the world. */
export interface NetworkQuality {
  readonly delayMsMin: number;
  readonly delayMsMax: number;
  /** How likely one message of a channel is lost, though its connection stands. */
  readonly messageLoss: number;
  /** How long until a client is connected again. */
  readonly reconnectMsMax: number;
  /** Whether the library sends again what was not answered when a connection was lost. */
  readonly resends: boolean;
}

interface Pending {
  readonly words: readonly string[];
  readonly resolve: (reply: RedisReply) => void;
  readonly reject: (error: Error) => void;
}

interface Subscription {
  readonly listeners: ((text: string) => void)[];
  readonly confirmed: (() => void)[];
}

/** One connection, as long as it stands; the next one is another. Both directions keep order. */
class Line implements Peer {
  isUp = true;
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #quality: NetworkQuality;
  readonly #onMessage: (channel: string, text: string) => void;
  readonly #lastArrivalMs = { toServer: 0, toClient: 0 };
  #heldUpUntilMs = 0;
  /** What is under way to the server. */
  readonly #underWay = new Map<number, { cancel: () => void; arrive: () => void }>();
  #sent = 0;

  constructor(
    world: World,
    random: SeededRandom,
    quality: NetworkQuality,
    onMessage: (channel: string, text: string) => void,
  ) {
    this.#world = world;
    this.#random = random;
    this.#quality = quality;
    this.#onMessage = onMessage;
  }

  toServer(arrive: () => void): void {
    const id = this.#sent++;
    const run = (): void => {
      this.#underWay.delete(id);
      arrive();
    };
    const cancel = this.#world.clock.after(this.#delayMs('toServer'), run);
    this.#underWay.set(id, { cancel, arrive });
  }

  toClient(arrive: () => void): void {
    if (!this.isUp) return;
    this.#world.clock.after(this.#delayMs('toClient'), () => {
      if (this.isUp) arrive();
    });
  }

  receive(channel: string, text: string): void {
    if (this.#random.chance(this.#quality.messageLoss)) {
      this.#world.log(() => `  a message to ${channel} is lost: ${text}`);
      return;
    }
    this.toClient(() => this.#onMessage(channel, text));
  }

  /** Packets are lost, and sent again and again: what is sent from now on arrives after that. */
  holdUp(untilMs: number): void {
    this.#heldUpUntilMs = untilMs;
  }

  /** Some of what was sent arrives all the same, perhaps late. Returns the delay at most, ms. */
  cut(): number {
    this.isUp = false;
    const keeps = this.#random.below(this.#underWay.size + 1);
    const extraMs = this.#random.real(0, 3 * this.#quality.reconnectMsMax);
    for (const [place, { cancel, arrive }] of [...this.#underWay.values()].entries()) {
      cancel();
      if (place < keeps) this.#world.clock.after(extraMs + place / 1000, arrive);
    }
    this.#underWay.clear();
    return keeps === 0 ? 0 : extraMs + keeps / 1000;
  }

  #delayMs(direction: 'toServer' | 'toClient'): number {
    const { delayMsMin, delayMsMax } = this.#quality;
    const leavesMs = Math.max(this.#world.nowMs, this.#heldUpUntilMs);
    const atMs = leavesMs + this.#random.real(delayMsMin, delayMsMax);
    const arrivalMs = Math.max(atMs, this.#lastArrivalMs[direction]);
    this.#lastArrivalMs[direction] = arrivalMs;
    return arrivalMs - this.#world.nowMs;
  }
}

export class SimulatedConnection implements RedisConnection {
  readonly #world: World;
  readonly #machine: Machine;
  readonly #server: SimulatedServer;
  readonly #quality: NetworkQuality;
  readonly #random: SeededRandom;
  readonly #reconnectListeners: (() => void)[] = [];
  readonly #subscriptions = new Map<string, Subscription>();
  #commands: Line | undefined;
  #messages: Line | undefined;
  #isClosed = false;
  /** For how long commands of a process that is gone may still reach the server, in ms. */
  lateMs = 0;
  #partedUntilMs = 0;
  /** Sent and not answered, in order; and those that wait for a connection. */
  #pending: Pending[] = [];
  #unsent: Pending[] = [];

  constructor(world: World, machine: Machine, server: SimulatedServer, quality: NetworkQuality) {
    this.#world = world;
    this.#machine = machine;
    this.#server = server;
    this.#quality = quality;
    this.#random = world.random.fork();
    if (server.isUp) {
      this.#commands = this.#newLine();
      this.#messages = this.#newLine();
    } else {
      this.#whenBack(() => this.#commandsAreBack());
      this.#whenBack(() => this.#messagesAreBack());
    }
  }

  send(command: string, ...args: readonly string[]): Promise<RedisReply> {
    return new Promise((resolve, reject) => {
      const pending = { words: [command, ...args], resolve, reject };
      if (this.#commands === undefined) this.#unsent.push(pending);
      else this.#transmit(this.#commands, pending);
    });
  }

  subscribe(channel: string, onMessage: (text: string) => void): Promise<void> {
    return new Promise((resolve) => {
      const known = this.#subscriptions.get(channel) ?? { listeners: [], confirmed: [] };
      known.listeners.push(onMessage);
      known.confirmed.push(resolve);
      this.#subscriptions.set(channel, known);
      if (this.#messages !== undefined) this.#subscribe(this.#messages, channel);
    });
  }

  async publish(channel: string, text: string): Promise<void> {
    await this.send('PUBLISH', channel, text);
  }

  /** The connection for messages is made anew; resolves when all subscriptions hold on it. */
  renewSubscriptions(): Promise<void> {
    this.#cutMessages();
    const confirmed = [...this.#subscriptions.values()].map(
      (subscription) => new Promise<void>((resolve) => subscription.confirmed.push(resolve)),
    );
    return Promise.all(confirmed).then(() => undefined);
  }

  onReconnect(listener: () => void): void {
    this.#reconnectListeners.push(listener);
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#subscriptions.clear();
    if (this.#messages !== undefined) this.#drop(this.#messages);
    this.#messages = undefined;
    return Promise.resolve();
  }

  /** The connection for commands is lost, or that for messages. */
  cut(which: 'commands' | 'messages'): void {
    if (which === 'commands') this.#cutCommands();
    else this.#cutMessages();
  }

  /**
   * Nothing gets through until then, in either direction: the client finds its connections lost,
   * and cannot make new ones; or it finds them slow.
   */
  part(untilMs: number, isNoticed: boolean): void {
    this.#partedUntilMs = untilMs;
    const until = untilMs.toFixed(0);
    this.#world.log(() => `${this.#machine.name} is parted from the server until ${until}`);
    if (isNoticed) {
      this.#cutCommands();
      this.#cutMessages();
    } else {
      this.#commands?.holdUp(untilMs);
      this.#messages?.holdUp(untilMs);
    }
  }

  /** The process is gone, and what it had not put on the wire. */
  abandon(): void {
    this.#isClosed = true;
    if (this.#commands !== undefined) this.lateMs = this.#drop(this.#commands);
    if (this.#messages !== undefined) this.#drop(this.#messages);
    this.#commands = undefined;
    this.#messages = undefined;
  }

  #cutCommands(): void {
    const line = this.#commands;
    if (line === undefined) return;
    this.#world.log(() => `${this.#machine.name} has lost its connection for commands`);
    this.#commands = undefined;
    this.#drop(line);
    const unanswered = this.#pending;
    this.#pending = [];
    if (this.#quality.resends) this.#unsent.unshift(...unanswered);
    else {
      this.#machine.receive(() => {
        for (const { reject } of unanswered) reject(new Error('the connection is lost'));
      });
    }
    this.#whenBack(() => this.#commandsAreBack());
  }

  #commandsAreBack(): void {
    const line = this.#newLine();
    this.#commands = line;
    const unsent = this.#unsent;
    this.#unsent = [];
    for (const pending of unsent) this.#transmit(line, pending);
    this.#tellReconnected();
  }

  #cutMessages(): void {
    const line = this.#messages;
    if (line === undefined || this.#isClosed) return;
    this.#world.log(() => `${this.#machine.name} has lost its connection for messages`);
    this.#messages = undefined;
    this.#drop(line);
    this.#whenBack(() => this.#messagesAreBack());
  }

  #messagesAreBack(): void {
    if (this.#isClosed) return;
    const line = this.#newLine();
    this.#messages = line;
    const channels = [...this.#subscriptions.keys()];
    for (const channel of channels) this.#subscribe(line, channel);
    if (channels.length === 0) this.#tellReconnected();
  }

  #drop(line: Line): number {
    this.#server.forget(line);
    return line.cut();
  }

  /** Tries again and again: the server may be down, the process stopped or gone. */
  #whenBack(connect: () => void): void {
    const retryMs = this.#random.real(0, this.#quality.reconnectMsMax);
    this.#world.clock.after(retryMs, () => {
      this.#machine.receive(() => {
        const isParted = this.#world.nowMs < this.#partedUntilMs;
        if (!this.#server.isUp || isParted) this.#whenBack(connect);
        else {
          this.#world.log(() => `${this.#machine.name} is connected again`);
          connect();
        }
      });
    });
  }

  #tellReconnected(): void {
    for (const listener of this.#reconnectListeners) listener();
  }

  #newLine(): Line {
    return new Line(this.#world, this.#random, this.#quality, (channel, text) => {
      this.#machine.receive(() => {
        const listeners = this.#subscriptions.get(channel)?.listeners ?? [];
        for (const listener of listeners) listener(text);
      });
    });
  }

  #transmit(line: Line, pending: Pending): void {
    this.#pending.push(pending);
    const words = pending.words.map(toBytes);
    line.toServer(() => {
      this.#server.receive(line, words, (reply) => {
        line.toClient(() => this.#machine.receive(() => this.#answer(pending, reply)));
      });
    });
  }

  #answer(pending: Pending, reply: Reply | RedisError): void {
    const place = this.#pending.indexOf(pending);
    if (place < 0) return;
    this.#pending.splice(place, 1);
    if (reply instanceof RedisError) pending.reject(new Error(reply.message));
    else pending.resolve(fromBytes(reply));
  }

  #subscribe(line: Line, channel: string): void {
    line.toServer(() => {
      if (!line.isUp) return;
      this.#server.receive(line, ['SUBSCRIBE', toBytes(channel)], () => {
        line.toClient(() => this.#machine.receive(() => this.#subscribed(channel)));
      });
    });
  }

  #subscribed(channel: string): void {
    const confirmed = this.#subscriptions.get(channel)?.confirmed.splice(0) ?? [];
    for (const confirm of confirmed) confirm();
    if (confirmed.length === 0) this.#tellReconnected();
  }
}
