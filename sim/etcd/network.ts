/**
 * The network between a client and the members: HTTP requests, each with an outcome of its own.
 *
 * A request may be lost, late, or arrive twice; its answer may be lost. Two requests keep no order,
 * as they may go by two connections. A stream keeps its order, until it is cut or falls silent. A
 * request that has left its client arrives, whatever becomes of that one.
 */

import type { Json } from '../../src/backends/etcd/calls.ts';
import type { AnswerEvents, Member, MemberRequest } from '../../src/backends/etcd/connection.ts';
import type { Machine } from '../machine.ts';
import type { SeededRandom } from '../random.ts';
import type { World } from '../world.ts';
import type { ClusterMember } from './cluster.ts';
import { StoreRefusal } from './store.ts';

/** How good the network is. Times in ms of the world; the others are probabilities. */
export interface NetworkQuality {
  readonly delayMsMin: number;
  readonly delayMsMax: number;
  readonly requestLoss: number;
  readonly answerLoss: number;
  readonly repeats: number;
  /** Whether a request is late, by up to `lateMsMax`. */
  readonly lateness: number;
  readonly lateMsMax: number;
  /** Whether one message of a watch, or a part of it, is lost, though its connection stands. */
  readonly messageLoss: number;
}

/** Of the quality of a network: nothing is lost, late, or repeated. */
export const flawless = {
  requestLoss: 0,
  answerLoss: 0,
  repeats: 0,
  lateness: 0,
  lateMsMax: 0,
  messageLoss: 0,
} as const;

/** A request with its answer, or a stream, as long as both sides know of it. */
class Exchange {
  readonly member: ClusterMember;
  readonly isStream: boolean;
  readonly #machine: Machine;
  readonly #events: AnswerEvents;
  /** Its client has ended it, or knows that it has ended. */
  isOver = false;
  /** Nothing of it arrives any more, and its client does not know. */
  isSilent = false;
  lastArrivalMs = 0;

  constructor(member: ClusterMember, machine: Machine, isStream: boolean, events: AnswerEvents) {
    this.member = member;
    this.#machine = machine;
    this.isStream = isStream;
    this.#events = events;
  }

  connected(): void {
    this.#receive(() => this.#events.onConnected());
  }

  text(text: string): void {
    this.#receive(() => this.#events.onText(text));
  }

  end(): void {
    this.#receive(() => {
      this.isOver = true;
      this.#events.onEnd();
    });
  }

  fail(reason: string): void {
    this.#machine.receive(() => {
      if (this.isOver) return;
      this.isOver = true;
      this.#events.onFailed(new Error(reason));
    });
  }

  #receive(run: () => void): void {
    this.#machine.receive(() => {
      if (!this.isOver && !this.isSilent) run();
    });
  }
}

/** One client's connections to all members. */
export class ClientNetwork {
  readonly #world: World;
  readonly #machine: Machine;
  #quality: NetworkQuality;
  readonly #random: SeededRandom;
  readonly #members: readonly ClusterMember[];
  readonly #exchanges = new Set<Exchange>();
  /** By member: until when nothing gets through, in ms of the world. */
  readonly #partedUntilMs = new Map<ClusterMember, number>();

  constructor(
    world: World,
    machine: Machine,
    members: readonly ClusterMember[],
    quality: NetworkQuality,
  ) {
    this.#world = world;
    this.#machine = machine;
    this.#members = members;
    this.#quality = quality;
    this.#random = world.random.fork();
  }

  /** What a connection of the client's is made over: a new list for each. */
  members(): readonly Member[] {
    return this.#members.map((member) => {
      const own = new Set<Exchange>();
      return {
        name: member.name,
        post: (request, events) => this.#post(member, request, events, own),
        close: () => {
          for (const exchange of own) exchange.isOver = true;
        },
      };
    });
  }

  /** Streams end with an error, and so do calls that are under way; some have arrived. */
  cut(which: 'streams' | 'all', member?: ClusterMember): void {
    for (const exchange of [...this.#exchanges]) {
      if (member !== undefined && exchange.member !== member) continue;
      if (which === 'streams' && !exchange.isStream) continue;
      this.#exchanges.delete(exchange);
      exchange.fail('the connection was reset');
    }
  }

  /** From now on requests and messages are lost, late, or repeated no more. */
  calmDown(): void {
    const { delayMsMin, delayMsMax } = this.#quality;
    this.#quality = { ...flawless, delayMsMin, delayMsMax };
  }

  /** The process is gone; what it has sent arrives. */
  abandon(): void {
    for (const exchange of this.#exchanges) exchange.isOver = true;
  }

  /** Streams that are open now carry nothing any more, and stand. */
  silence(): void {
    this.#world.log(() => `the watches of ${this.#machine.name} fall silent`);
    for (const exchange of this.#exchanges) if (exchange.isStream) exchange.isSilent = true;
  }

  /** Nothing gets through to some members, in either direction, until then. */
  part(members: readonly ClusterMember[], untilMs: number): void {
    for (const member of members) this.#partedUntilMs.set(member, untilMs);
    const names = members.map(({ name }) => name).join(', ');
    this.#world.log(
      () => `${this.#machine.name} is parted from ${names} until ${untilMs.toFixed(0)}`,
    );
  }

  #post(
    member: ClusterMember,
    { path, body, keepsAlive }: MemberRequest,
    events: AnswerEvents,
    own: Set<Exchange>,
  ): () => void {
    const exchange = new Exchange(member, this.#machine, !keepsAlive, events);
    this.#exchanges.add(exchange);
    own.add(exchange);
    let endWatch: () => void = () => undefined;
    const forget = (): void => {
      this.#exchanges.delete(exchange);
      own.delete(exchange);
    };
    const parsed = JSON.parse(body) as Json;
    const arrive = (): void => {
      if (!member.isUp) {
        forget();
        this.#later(exchange, () => exchange.fail('connection refused'));
        return;
      }
      if (exchange.isStream) {
        endWatch = member.watch(parsed, (message) => this.#message(exchange, message));
        return;
      }
      member.call(this.#machine.name, path, parsed, (answer) => {
        if (this.#random.chance(this.#quality.answerLoss)) return;
        this.#later(exchange, () => {
          forget();
          exchange.text(JSON.stringify(answer instanceof StoreRefusal ? bodyOf(answer) : answer));
          exchange.end();
        });
      });
    };
    this.#later(exchange, () => exchange.connected());
    const { requestLoss, repeats, lateness, lateMsMax } = this.#quality;
    if (!this.#random.chance(requestLoss)) {
      const lateMs = this.#random.chance(lateness) ? this.#random.real(0, lateMsMax) : 0;
      this.#world.clock.after(this.#delayMs(member) + lateMs, arrive);
      if (!exchange.isStream && this.#random.chance(repeats)) {
        const againMs = this.#delayMs(member) + this.#random.real(0, lateMsMax);
        this.#world.clock.after(againMs, arrive);
      }
    }
    return () => {
      exchange.isOver = true;
      forget();
      this.#world.clock.after(this.#delayMs(member), () => endWatch());
    };
  }

  #message(exchange: Exchange, message: Json): void {
    const isLost = this.#random.chance(this.#quality.messageLoss);
    const left = isLost ? this.#lose(message) : message;
    if (left === undefined) return;
    const line = `${JSON.stringify(left)}\n`;
    const half = this.#random.chance(0.2) ? this.#random.below(line.length) : 0;
    this.#later(exchange, () => {
      if (half > 0) exchange.text(line.slice(0, half));
      exchange.text(line.slice(half));
    });
  }

  /** The rest of a message of which something is lost. */
  #lose(message: Json): Json | undefined {
    const { events } = message['result'] as { readonly events?: readonly Json[] };
    if (events === undefined) return message;
    // The link of a transaction is a put: etcd drops messages as a whole, or deletions.
    const isWhole = this.#random.chance(0.5);
    const left = events.filter(({ type }) => {
      return !isWhole && (type !== 'DELETE' || this.#random.chance(0.5));
    });
    this.#world.log(
      () => `  ${this.#machine.name} misses ${events.length - left.length} of ${events.length}`,
    );
    return left.length === 0 ? undefined : { result: { events: left } };
  }

  /** Something arrives at the client, after all that was sent before it. */
  #later(exchange: Exchange, arrive: () => void): void {
    const atMs = this.#world.nowMs + this.#delayMs(exchange.member);
    exchange.lastArrivalMs = Math.max(exchange.lastArrivalMs, atMs);
    this.#world.clock.after(exchange.lastArrivalMs - this.#world.nowMs, arrive);
  }

  /** Packets are sent again and again while nothing gets through. */
  #delayMs(member: ClusterMember): number {
    const { delayMsMin, delayMsMax } = this.#quality;
    const partedMs = (this.#partedUntilMs.get(member) ?? 0) - this.#world.nowMs;
    return Math.max(0, partedMs) + this.#random.real(delayMsMin, delayMsMax);
  }
}

function bodyOf({ code, message }: StoreRefusal): Json {
  return { error: message, code, message };
}
