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
 * (`isDurable`); or none, and then its crash loses all locks.
 */

import type { SeededRandom } from '../random.ts';
import { ASK, type Clients, LET_GO, OTHERS, TOLD } from './clients.ts';
import type { EventHeap } from './event-heap.ts';
import { RELEASE } from './log.ts';
import { Disks, type Network, Servers } from './machinery.ts';
import type { Measures } from './measures.ts';
import type { ScaleOptions } from './options.ts';
import { Shard } from './shard.ts';

/** A request comes in at a shard. */
const ENTER = OTHERS;
/** A release comes in at a shard. */
const LEAVE = OTHERS + 1;
/** The last shard of a set tells its gateway. */
const HAVE_ALL = OTHERS + 2;

export class Ordered {
  readonly gatewayServers: Servers;
  readonly shardServers: Servers;
  readonly #heap: EventHeap;
  readonly #clients: Clients;
  readonly #network: Network;
  readonly #disks: Disks | undefined;
  readonly #measures: Measures;
  readonly #shards: Shard[] = [];
  readonly #shardCount: number;
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
    const { shardCount, clientCount, workload, costs } = options;
    this.#heap = parts.heap;
    this.#clients = parts.clients;
    this.#network = parts.network;
    this.#measures = parts.measures;
    this.#shardCount = shardCount;
    this.#leftMs = new Float64Array(clientCount);
    this.#disks = isDurable ? new Disks(parts.random, options.log, shardCount) : undefined;
    this.gatewayServers = new Servers(options.gatewayCount, costs);
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
    if (kind === ASK) this.#ask(who);
    else if (kind === TOLD) this.#clients.told(who, what);
    else if (kind === LET_GO) this.#letGo(who);
    else if (kind === ENTER) this.#enter(who, what);
    else if (kind === LEAVE) this.#leave(who, what);
    else if (kind === HAVE_ALL) this.#tell(who);
    else throw new Error(`no such event: ${kind}`);
  }

  #ask(client: number): void {
    this.#clients.ask(client);
    // Two sets of one client are never at a shard at once: its last release must have come in.
    const doneMs = Math.max(this.#gatewayWork(client, 2), this.#leftMs[client] as number);
    this.#heap.push(doneMs + this.#network.delayMs(), ENTER, client, this.#nextShard(client, -1));
  }

  #letGo(client: number): void {
    const doneMs = this.#gatewayWork(client, 1 + this.#countShards(client));
    let shard = this.#nextShard(client, -1);
    for (; shard < this.#shardCount; shard = this.#nextShard(client, shard)) {
      const comesInMs = doneMs + this.#network.delayMs();
      this.#leftMs[client] = Math.max(this.#leftMs[client] as number, comesInMs);
      this.#heap.push(comesInMs, LEAVE, client, shard);
    }
  }

  #tell(client: number): void {
    const doneMs = this.#gatewayWork(client, 2);
    const number = this.#clients.numbers[client] as number;
    this.#heap.push(doneMs + this.#network.delayMs(), TOLD, client, number);
  }

  #enter(client: number, index: number): void {
    const { numbers, sets, setSize } = this.#clients;
    const first = client * setSize;
    const shard = this.#shards[index] as Shard;
    const number = numbers[client] as number;
    const linkCount = shard.enter(client, number, sets, first, setSize);
    this.#handOn(index, linkCount);
  }

  #leave(client: number, index: number): void {
    const shard = this.#shards[index] as Shard;
    this.#handOn(index, shard.end(client, shard.numberOf(client), RELEASE));
  }

  /** Whose parts are now triggered, goes on to its next shard. */
  #handOn(index: number, linkCount: number): void {
    const { nowMs } = this.#heap;
    let doneMs = this.shardServers.work(index, nowMs, 1, 0, linkCount);
    if (this.#triggered.length === 0) return;
    const safeMs = this.#disks?.commitMs(index, doneMs) ?? 0;
    for (const client of this.#triggered) {
      this.#measures.partTriggered(client, this.#clients.numbers[client] as number, nowMs);
      doneMs = Math.max(safeMs, this.shardServers.work(index, nowMs, 1, 0, 0));
      const next = this.#nextShard(client, index);
      const kind = next < this.#shardCount ? ENTER : HAVE_ALL;
      this.#heap.push(doneMs + this.#network.delayMs(), kind, client, next);
    }
    this.#triggered.length = 0;
  }

  #gatewayWork(client: number, messages: number): number {
    const gateway = this.#clients.gatewayOf(client);
    return this.gatewayServers.work(gateway, this.#heap.nowMs, messages, 0, 0);
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

  #countShards(client: number): number {
    let count = 0;
    let shard = this.#nextShard(client, -1);
    for (; shard < this.#shardCount; shard = this.#nextShard(client, shard)) count++;
    return count;
  }
}
