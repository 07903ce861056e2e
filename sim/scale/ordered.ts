/**
 * The same shards and the same network, without one order: each set is locked shard by shard.
 *
 *     client -> gateway -> first shard -> ... -> last shard -> gateway -> client
 *
 * A shard enters its part in its own queues, as they come, and when it is triggered hands the
 * request on to the next shard of the set; in the order of their numbers, so that nobody waits in a
 * circle: who waits at a shard keeps only parts at lesser ones. A release goes to all shards at
 * once. Within one shard a part is taken as a whole, by the same core.
 *
 * It is what can be done without a sequencer, and it is not the rule: what a set has at the first
 * shards it keeps while it waits at the next ones, and who asked later may be earlier there.
 *
 * A shard may have a log of its own that each step waits for, so that nothing is lost with it
 * (`isDurable`); or none, and then its crash loses all locks. What never has to be waited for,
 * such as a release for which nobody waits, is appended with what comes next, and costs nothing.
 *
 * Gateways and shards may collect what they have to say to each other (parcels.ts), and then a
 * shard appends once for all that it sends at one moment.
 */

import type { SeededRandom } from '../random.ts';
import { type Clients, LET_GO, NOTIFIED, OTHERS, REQUESTED } from './clients.ts';
import type { EventHeap } from './event-heap.ts';
import { RELEASE } from './log.ts';
import { appendMessages, Disks, type Network, Servers } from './machinery.ts';
import type { Measures } from './measures.ts';
import type { ScaleOptions } from './options.ts';
import { Parcels } from './parcels.ts';
import { Shard } from './shard.ts';

/** A request comes in at a shard. */
const ENTER = OTHERS;
/** A release comes in at a shard. */
const LEAVE = OTHERS + 1;
/** The last shard of a set notifies its gateway. */
const HAVE_ALL = OTHERS + 2;

export class Ordered {
  readonly gatewayServers: Servers;
  readonly shardServers: Servers;
  readonly #heap: EventHeap;
  readonly #clients: Clients;
  readonly #network: Network;
  readonly #disks: Disks | undefined;
  readonly #parcels: Parcels;
  readonly #measures: Measures;
  readonly #shards: Shard[] = [];
  readonly #shardCount: number;
  readonly #gatewayCount: number;
  /** By shard: of its last append, when what waits for it leaves, and when it is there for good. */
  readonly #appendedMs: Float64Array;
  readonly #safeMs: Float64Array;
  /** By client: when its last release has come in everywhere. */
  readonly #leftMs: Float64Array;
  /** Parts triggered by what a shard does now. */
  readonly #triggered: number[] = [];

  constructor(
    options: ScaleOptions,
    isDurable: boolean,
    parts: {
      heap: EventHeap;
      clients: Clients;
      network: Network;
      random: SeededRandom;
      measures: Measures;
    },
  ) {
    const { shardCount, gatewayCount, clientCount, workload, costs } = options;
    this.#heap = parts.heap;
    this.#clients = parts.clients;
    this.#network = parts.network;
    this.#measures = parts.measures;
    this.#shardCount = shardCount;
    this.#gatewayCount = gatewayCount;
    this.#appendedMs = new Float64Array(shardCount).fill(-1);
    this.#safeMs = new Float64Array(shardCount);
    this.#leftMs = new Float64Array(clientCount);
    this.#disks = isDurable ? new Disks(parts.random, options.log, shardCount) : undefined;
    const machineCount = gatewayCount + shardCount;
    this.#parcels = new Parcels(machineCount, options.collectMs, parts.network, parts.random);
    this.gatewayServers = new Servers(gatewayCount, costs);
    this.shardServers = new Servers(shardCount, costs);
    const size = { shardCount, clientCount, resourceCount: workload.resourceCount };
    for (let index = 0; index < shardCount; index++) {
      const onTriggered = (client: number): void => void this.#triggered.push(client);
      this.#shards.push(new Shard(index, size, onTriggered));
    }
  }

  /** Whether nobody holds or waits for anything, nor ever will. */
  get isQuiet(): boolean {
    return this.#clients.areFinished && this.#shards.every((shard) => shard.isEmpty);
  }

  /** Does what the event says that the heap has given. */
  on(kind: number, who: number, what: number): void {
    if (kind === REQUESTED) this.#request(who);
    else if (kind === NOTIFIED) this.#clients.notify(who, what);
    else if (kind === LET_GO) this.#letGo(who);
    else if (kind === ENTER) this.#enter(who, what);
    else if (kind === LEAVE) this.#leave(who, what);
    else if (kind === HAVE_ALL) this.#notify(who);
    else throw new Error(`no such event: ${kind}`);
  }

  #request(client: number): void {
    this.#clients.request(client);
    const gateway = this.#clients.gatewayOf(client);
    this.gatewayServers.work(gateway, this.#heap.nowMs, 1, 0, 0);
    // Two sets of one client are never at a shard at once: its last release must have come in.
    const soonestMs = this.#leftMs[client] as number;
    this.#send(gateway, ENTER, client, this.#nextShard(client, -1), soonestMs);
  }

  #letGo(client: number): void {
    const gateway = this.#clients.gatewayOf(client);
    this.gatewayServers.work(gateway, this.#heap.nowMs, 1, 0, 0);
    let shard = this.#nextShard(client, -1);
    for (; shard < this.#shardCount; shard = this.#nextShard(client, shard)) {
      const comesInMs = this.#send(gateway, LEAVE, client, shard, 0);
      this.#leftMs[client] = Math.max(this.#leftMs[client] as number, comesInMs);
    }
  }

  #notify(client: number): void {
    const gateway = this.#clients.gatewayOf(client);
    this.#receive(this.#lastShard(client) + this.#gatewayCount, gateway, 0);
    const doneMs = this.gatewayServers.work(gateway, this.#heap.nowMs, 1, 0, 0);
    const number = this.#clients.numbers[client] as number;
    this.#heap.push(doneMs + this.#network.delayMs(), NOTIFIED, client, number);
  }

  #enter(client: number, index: number): void {
    const { numbers, sets, setSize } = this.#clients;
    const first = client * setSize;
    const shard = this.#shards[index] as Shard;
    const number = numbers[client] as number;
    const linkCount = shard.enter(client, number, sets, first, setSize);
    const before = this.#lastShard(client, index);
    const sender = before < 0 ? this.#clients.gatewayOf(client) : before + this.#gatewayCount;
    this.#receive(sender, index + this.#gatewayCount, linkCount);
    this.#handOn(index);
  }

  #leave(client: number, index: number): void {
    const shard = this.#shards[index] as Shard;
    const linkCount = shard.end(client, shard.numberOf(client), RELEASE);
    const gateway = this.#clients.gatewayOf(client);
    this.#receive(gateway, index + this.#gatewayCount, linkCount);
    this.#handOn(index);
  }

  /** Whose parts are now triggered, goes on to its next shard. */
  #handOn(index: number): void {
    if (this.#triggered.length === 0) return;
    const sender = index + this.#gatewayCount;
    const safeMs = this.#append(index);
    for (const client of this.#triggered) {
      const { nowMs } = this.#heap;
      this.#measures.partTriggered(client, this.#clients.numbers[client] as number, nowMs);
      const next = this.#nextShard(client, index);
      this.#send(sender, next < this.#shardCount ? ENTER : HAVE_ALL, client, next, safeMs);
    }
    this.#triggered.length = 0;
  }

  /** When all that a shard has done so far is there for good: what it sends must wait for that. */
  #append(index: number): number {
    if (this.#disks === undefined) return 0;
    const readyMs = this.shardServers.freeFromMs(index, this.#heap.nowMs);
    const leavesMs = this.#parcels.leavesMs(index + this.#gatewayCount, readyMs);
    if (leavesMs !== this.#appendedMs[index]) {
      const doneMs = this.shardServers.work(index, readyMs, appendMessages, 0, 0);
      this.#appendedMs[index] = leavesMs;
      this.#safeMs[index] = this.#disks.commitMs(index, Math.max(leavesMs, doneMs));
    }
    return this.#safeMs[index] as number;
  }

  /**
   * From a machine (gateways first, then shards), no sooner than that; the result is when it comes
   * in.
   */
  #send(sender: number, kind: number, client: number, shard: number, soonestMs: number): number {
    const toShard = kind !== HAVE_ALL;
    const receiver = toShard ? shard + this.#gatewayCount : this.#clients.gatewayOf(client);
    const parcels = this.#parcels;
    const [servers, index] = this.#serverOf(sender);
    const readyMs = servers.freeFromMs(index, this.#heap.nowMs);
    const leavesMs = Math.max(parcels.leavesMs(sender, readyMs), soonestMs);
    if (parcels.isFirst(sender, receiver, leavesMs)) {
      parcels.begin(sender, receiver, leavesMs, servers.work(index, readyMs, 1, 0, 0));
    } else {
      servers.work(index, readyMs, 0, 1, 0);
    }
    const comesInMs = parcels.comesInMs(sender, receiver);
    this.#heap.push(comesInMs, kind, client, shard);
    return comesInMs;
  }

  #receive(sender: number, receiver: number, linkCount: number): void {
    const { nowMs } = this.#heap;
    const messages = this.#parcels.comesIn(sender, receiver, nowMs) ? 1 : 0;
    const [servers, index] = this.#serverOf(receiver);
    servers.work(index, nowMs, messages, 1 - messages, linkCount);
  }

  #serverOf(machine: number): readonly [Servers, number] {
    const isGateway = machine < this.#gatewayCount;
    return isGateway
      ? [this.gatewayServers, machine]
      : [this.shardServers, machine - this.#gatewayCount];
  }

  /** The first shard after that one that has a part of the client's set; or the count of shards. */
  #nextShard(client: number, after: number): number {
    const { sets, setSize } = this.#clients;
    let next = this.#shardCount;
    for (let index = client * setSize; index < (client + 1) * setSize; index++) {
      const shard = ((sets[index] as number) >> 1) % this.#shardCount;
      if (shard > after && shard < next) next = shard;
    }
    return next;
  }

  /** The last shard before that one that has a part of the client's set; or -1. */
  #lastShard(client: number, before = this.#shardCount): number {
    const { sets, setSize } = this.#clients;
    let last = -1;
    for (let index = client * setSize; index < (client + 1) * setSize; index++) {
      const shard = ((sets[index] as number) >> 1) % this.#shardCount;
      if (shard < before && shard > last) last = shard;
    }
    return last;
  }
}
