/**
 * The domain in shards, with one order: what is simulated is which messages are sent, and when.
 *
 *     client -> gateway      request, release, cancel
 *     gateway -> log         a batch at the end of each epoch (log.ts)
 *     log -> every shard     that part of the batch that concerns it, once it is there for good
 *     shard -> gateway       which parts are triggered, all of an epoch in one message
 *     gateway -> client      the set is granted, once all shards have reported their parts
 *
 * Ends of sets are entries like any other, so all that shards ever do is apply the log. No shard
 * speaks to another. As in Calvin (Thomson et al., "Calvin: fast distributed transactions for
 * partitioned database systems", SIGMOD 2012), what is agreed upon is the input, once, before it
 * is acted on; what follows from it needs no agreement.
 *
 * With `endsAhead` a gateway also sends each release straight to the shards of the set. That is a
 * hint: a release only takes away, and of a set that is granted, so to hear of it before its place
 * in the log lets in the same sets in the same order, only sooner. A hint that is lost is made good
 * by the entry. Cancels cannot be sent ahead, as their request may not have been applied yet.
 *
 * With faults, shards and gateways lose all that they know, and begin again from the log.
 */

import type { SeededRandom } from '../random.ts';
import {
  type Clients,
  GIVE_UP,
  LET_GO,
  NOTIFIED,
  OTHERS,
  REQUESTED,
  SESSION_END,
} from './clients.ts';
import type { EventHeap } from './event-heap.ts';
import { Gateway, KnownSets } from './gateways.ts';
import { Batch, ENTRY_WORDS, type Epoch, Integers, Log } from './log.ts';
import { appendMessages, Disks, exponential, type Network, Servers } from './machinery.ts';
import type { Measures } from './measures.ts';
import type { ScaleOptions } from './options.ts';
import { Shard } from './shard.ts';

const REQUEST_AGAIN = OTHERS;
const SEAL = OTHERS + 1;
const COMMIT = OTHERS + 2;
const APPLY = OTHERS + 3;
const REPORT = OTHERS + 4;
const REPORT_AGAIN = OTHERS + 5;
const SHARD_CRASH = OTHERS + 6;
const SHARD_RESTART = OTHERS + 7;
const GATEWAY_CRASH = OTHERS + 8;
const GATEWAY_RESTART = OTHERS + 9;
/** And the number of a shard: a release comes in there ahead of its entry in the log. */
const AHEAD = OTHERS + 10;

type Wishes = readonly number[];

/** Looks on, for tests. Positions are numbers that grow along the order of the log. */
export interface Monitor {
  /** An entry has its place: called for each, in order, as soon as its epoch is whole. */
  entry(position: number, kind: number, client: number, number: number, wishes: Wishes): void;
  /** A shard has applied the entry at that position, and thereby that part is triggered. */
  triggered(shard: number, position: number, client: number, number: number): void;
  /** `entry` has been called for all entries of that epoch. */
  whole(epoch: number): void;
  /** A shard has applied all epochs up to that one; `again`, if it does so after a crash. */
  applied(shard: number, epoch: number, digest: () => string, again: boolean): void;
}

/** A shard's report to gateways: `client, number` of each part that is triggered. */
interface Report {
  readonly shard: number;
  readonly parts: Integers;
  /** It is all there is, and was requested by the gateway in that life. */
  readonly answers: number;
}

const notRequested = -1;

export class Sequenced {
  readonly log: Log;
  readonly gatewayServers: Servers;
  readonly shardServers: Servers;
  readonly #options: ScaleOptions;
  readonly #heap: EventHeap;
  readonly #clients: Clients;
  readonly #network: Network;
  readonly #random: SeededRandom;
  readonly #disks: Disks;
  readonly #measures: Measures;
  readonly #monitor: Monitor | undefined;
  readonly #gateways: readonly Gateway[];
  readonly #known: KnownSets;
  /** `undefined` while it is down. */
  readonly #shards: (Shard | undefined)[] = [];
  /** By shard: the last epoch that it has been sent. */
  readonly #sentLast: Int32Array;
  readonly #receivedLastMs: Float64Array;
  /** By gateway: how much its clock is late. */
  readonly #lateMs: readonly number[];
  /** By gateway: parts triggered by what a shard applies now. */
  readonly #outgoing: Integers[];
  readonly #reports: (Report | undefined)[] = [];
  readonly #freeReports: number[] = [];
  /** How many of each have crashed. */
  readonly crashCounts = { shards: 0, gateways: 0 };
  #wholeLast = -1;
  /** The last epoch that has been sealed with anything in it. */
  #usedLast = -1;
  #position = 0;

  constructor(
    options: ScaleOptions,
    parts: {
      heap: EventHeap;
      clients: Clients;
      network: Network;
      random: SeededRandom;
      measures: Measures;
    },
    monitor?: Monitor,
  ) {
    const { gatewayCount, shardCount, costs, faults } = options;
    this.#options = options;
    this.#heap = parts.heap;
    this.#clients = parts.clients;
    this.#network = parts.network;
    this.#random = parts.random;
    this.#measures = parts.measures;
    this.#monitor = monitor;
    const keepsLog =
      Math.min(faults.shardCrashMs, faults.gatewayCrashMs) < Number.POSITIVE_INFINITY;
    this.log = new Log(gatewayCount, shardCount, keepsLog || monitor !== undefined);
    this.gatewayServers = new Servers(gatewayCount, costs);
    this.shardServers = new Servers(shardCount, costs);
    this.#disks = new Disks(parts.random, options.log, gatewayCount);
    this.#gateways = Array.from({ length: gatewayCount }, () => new Gateway(shardCount));
    this.#known = new KnownSets(options.clientCount);
    this.#sentLast = new Int32Array(shardCount).fill(-1);
    this.#receivedLastMs = new Float64Array(shardCount);
    this.#outgoing = Array.from({ length: gatewayCount }, () => new Integers());
    this.#lateMs = this.#gateways.map(() => parts.random.real(0, options.skewMs));
    for (let shard = 0; shard < shardCount; shard++) this.#shards.push(this.#createShard(shard));
    for (let gateway = 0; gateway < gatewayCount; gateway++) this.#sealLater(gateway, 0);
    this.#crashLater(SHARD_CRASH, faults.shardCrashMs);
    this.#crashLater(GATEWAY_CRASH, faults.gatewayCrashMs);
  }

  get shards(): readonly (Shard | undefined)[] {
    return this.#shards;
  }

  /** Whether nobody wants anything any more, and everybody knows. */
  get isQuiet(): boolean {
    return (
      this.#clients.areFinished &&
      this.#known.liveCount === 0 &&
      this.#gateways.every(({ isUp, open }) => isUp && open.entryCount === 0) &&
      this.#sentLast.every((sentLast) => sentLast >= this.#usedLast) &&
      this.#shards.every((shard) => shard?.isEmpty)
    );
  }

  /** Does what the event says that the heap has given. */
  on(kind: number, who: number, what: number): void {
    if (kind === REQUESTED) this.#request(who, this.#clients.request(who));
    else if (kind === NOTIFIED) this.#clients.notify(who, what);
    else if (kind === LET_GO) this.#end(who, what, false);
    else if (kind === GIVE_UP) this.#clients.giveUp(who, what);
    else if (kind === SESSION_END) this.#endSession(who, what);
    else if (kind === REQUEST_AGAIN) this.#request(who, what);
    else if (kind === SEAL) this.#seal(who, what);
    else if (kind === COMMIT) this.#commit(who, what);
    else if (kind === APPLY) this.#apply(who, what);
    else if (kind === REPORT) this.#receiveReport(who, what);
    else if (kind >= AHEAD) this.#endAhead(kind - AHEAD, who, what);
    else this.#onFault(kind, who, what);
  }

  // ---- At gateways

  #request(client: number, number: number): void {
    const { nowMs } = this.#heap;
    const clients = this.#clients;
    const gateway = clients.gatewayOf(client);
    const { isUp, open } = this.#gateways[gateway] as Gateway;
    if (!isUp) return;
    const doneMs = this.gatewayServers.work(gateway, nowMs, 1, 0, 0);
    const { setSize } = clients;
    // Its messages come in as they were sent: when it requests the next set, this has come in.
    if (number !== clients.numbers[client]) throw new Error('a request has been overtaken');
    const first = client * setSize;
    const state = this.#known.request(open, client, number, clients.sets, first, setSize);
    if (state === 'granted') {
      this.#heap.push(doneMs + this.#network.delayMs(), NOTIFIED, client, number);
    }
  }

  #end(client: number, number: number, died: boolean): void {
    const gateway = this.#clients.gatewayOf(client);
    const { isUp, open } = this.#gateways[gateway] as Gateway;
    if (!isUp) return;
    this.gatewayServers.work(gateway, this.#heap.nowMs, 1, 0, 0);
    if (!died && this.#options.endsAhead) this.#sendAhead(gateway, client, number);
    this.#known.end(open, client, number, died);
  }

  #sendAhead(gateway: number, client: number, number: number): void {
    const shards = this.#known.shardsOfGranted(client, number);
    for (let shard = 0; shard < this.#options.shardCount; shard++) {
      if ((shards & (1 << shard)) === 0) continue;
      const doneMs = this.gatewayServers.work(gateway, this.#heap.nowMs, 1, 0, 0);
      this.#heap.push(doneMs + this.#network.delayMs(), AHEAD + shard, client, number);
    }
  }

  #endSession(client: number, number: number): void {
    const { nowMs } = this.#heap;
    const { isUp, unreported, open } = this.#gateways[this.#clients.gatewayOf(client)] as Gateway;
    // Who comes back gives each session a whole lease again, as it cannot know when it was heard;
    if (!isUp) return;
    // and ends none before it knows what the client may have received in an earlier life.
    if (unreported.size > 0) {
      this.#heap.push(nowMs + this.#options.faults.leaseMs, SESSION_END, client, number);
      return;
    }
    this.#end(client, number, true);
    open.sessionsEnded.add(client);
    open.sessionsEnded.add(number);
  }

  #sealLater(gateway: number, epoch: number): void {
    const { life } = this.#gateways[gateway] as Gateway;
    const atMs = (epoch + 1) * this.#options.epochMs + (this.#lateMs[gateway] as number);
    this.#heap.push(atMs, SEAL, this.#livesAs(gateway, life), epoch);
  }

  #seal(who: number, epoch: number): void {
    const gateway = this.#stillThere(who);
    if (gateway < 0) return;
    this.#sealNow(gateway, epoch);
    this.#sealLater(gateway, epoch + 1);
  }

  #sealNow(index: number, epoch: number): void {
    const gateway = this.#gateways[index] as Gateway;
    const { shardCount } = this.#options;
    const batch = gateway.open;
    gateway.open = new Batch(shardCount);
    gateway.sealed.set(epoch, batch);
    gateway.sealedLast = epoch;
    if (batch.entryCount > 0) this.#usedLast = Math.max(this.#usedLast, epoch);
    // To those who keep its log it sends all entries, and to each shard those that concern it.
    const messages = appendMessages + shardCount;
    const items = batch.entryCount + batch.concernCount;
    const doneMs = this.gatewayServers.work(index, this.#heap.nowMs, messages, items, 0);
    const commitMs = this.#disks.commitMs(index, doneMs);
    this.#heap.push(commitMs, COMMIT, this.#livesAs(index, gateway.life), epoch);
  }

  #commit(who: number, epoch: number): void {
    const gateway = this.#stillThere(who);
    if (gateway >= 0) this.#commitNow(gateway, epoch);
  }

  /** What is there for good is on its way to all shards. */
  #commitNow(index: number, number: number): void {
    const { nowMs } = this.#heap;
    const gateway = this.#gateways[index] as Gateway;
    const epoch = this.log.epoch(number);
    const batch = gateway.sealed.get(number) as Batch;
    epoch.commit(index, batch);
    const { words, length } = batch.sessionsEnded;
    for (let at = 0; at < length; at += 2) {
      this.#clients.beginAgain(words[at] as number, words[at + 1] as number);
    }
    gateway.sealed.delete(number);
    gateway.committedLast = number;
    for (let shard = 0; shard < this.#options.shardCount; shard++) {
      const receivedMs = nowMs + this.#network.delayMs();
      epoch.receivedMs[shard] = Math.max(epoch.receivedMs[shard] as number, receivedMs);
    }
    if (epoch.isWhole) this.#send(epoch);
  }

  /** The epoch is whole: each shard applies it when the last of its batches has come in. */
  #send(epoch: Epoch): void {
    if (epoch.number !== ++this.#wholeLast) throw new Error('an epoch was whole out of turn');
    if (this.#monitor !== undefined) this.#showEntries(epoch, this.#monitor);
    this.#monitor?.whole(epoch.number);
    for (let shard = 0; shard < this.#options.shardCount; shard++) {
      const receivedMs = Math.max(
        epoch.receivedMs[shard] as number,
        this.#receivedLastMs[shard] as number,
      );
      this.#receivedLastMs[shard] = receivedMs;
      this.#heap.push(receivedMs, APPLY, shard, epoch.number);
    }
  }

  #receiveReport(gateway: number, index: number): void {
    const { nowMs } = this.#heap;
    const { shard, parts, answers } = this.#takeReport(index);
    const { isUp, life, unreported } = this.#gateways[gateway] as Gateway;
    if (!isUp) return;
    if (answers === life) unreported.delete(shard);
    const { words, length } = parts;
    let doneMs = this.gatewayServers.work(gateway, nowMs, 1, length / 2, 0);
    for (let at = 0; at < length; at += 2) {
      const client = words[at] as number;
      const number = words[at + 1] as number;
      if (!this.#known.addReport(client, number, shard)) continue;
      doneMs = this.gatewayServers.work(gateway, nowMs, 1, 0, 0);
      this.#heap.push(doneMs + this.#network.delayMs(), NOTIFIED, client, number);
    }
  }

  // ---- At shards

  #createShard(index: number): Shard {
    const { shardCount, clientCount, workload } = this.#options;
    const size = { shardCount, clientCount, resourceCount: workload.resourceCount };
    return new Shard(index, size, (client, number) => {
      this.#addToReport(client, number);
      this.#measures.partTriggered(client, number, this.#heap.nowMs);
      this.#monitor?.triggered(index, this.#position, client, number);
    });
  }

  #addToReport(client: number, number: number): void {
    const parts = this.#outgoing[this.#clients.gatewayOf(client)] as Integers;
    parts.add(client);
    parts.add(number);
  }

  #apply(index: number, number: number): void {
    const shard = this.#shards[index];
    this.#sentLast[index] = number;
    const epoch = this.log.epoch(number);
    this.log.applied(epoch);
    if (shard === undefined) return;
    const doneMs = this.#applyEpoch(index, shard, epoch);
    this.#monitor?.applied(index, number, () => shard.digest(), false);
    this.#report(index, doneMs);
  }

  #endAhead(index: number, client: number, number: number): void {
    const shard = this.#shards[index];
    if (shard === undefined) return;
    const linkCount = shard.endAhead(client, number);
    this.#report(index, this.shardServers.work(index, this.#heap.nowMs, 1, 0, linkCount));
  }

  #applyEpoch(index: number, shard: Shard, epoch: Epoch): number {
    const { gatewayCount } = this.#options;
    let linkCount = 0;
    let entryCount = 0;
    for (let rank = 0; rank < gatewayCount; rank++) {
      const batch = epoch.at(rank);
      const { words } = batch.entries;
      const offsets = batch.offsets(index);
      for (let place = 0; place < offsets.length; place++) {
        const offset = offsets.words[place] as number;
        this.#position = epoch.position(rank, offset);
        linkCount += shard.apply(words, offset);
      }
      entryCount += offsets.length;
    }
    const { nowMs } = this.#heap;
    return this.shardServers.work(index, nowMs, gatewayCount, entryCount, linkCount);
  }

  /** Sends what is outgoing, once the shard is done with what it is doing. */
  #report(shard: number, soonestMs: number): void {
    for (const [gateway, parts] of this.#outgoing.entries()) {
      if (parts.length > 0) this.#reportTo(gateway, shard, soonestMs, notRequested);
    }
  }

  #reportTo(gateway: number, shard: number, soonestMs: number, answers: number): void {
    const parts = this.#outgoing[gateway] as Integers;
    const doneMs = this.shardServers.work(shard, soonestMs, 1, parts.length / 2, 0);
    const index = this.#freeReports.pop() ?? this.#reports.length;
    this.#reports[index] = { shard, parts, answers };
    this.#outgoing[gateway] = new Integers();
    this.#heap.push(doneMs + this.#network.delayMs(), REPORT, gateway, index);
  }

  #takeReport(index: number): Report {
    const report = this.#reports[index];
    if (report === undefined) throw new Error(`there is no report ${index}`);
    this.#reports[index] = undefined;
    this.#freeReports.push(index);
    return report;
  }

  // ---- Faults

  #onFault(kind: number, who: number, what: number): void {
    const { downMs, shardCrashMs, gatewayCrashMs } = this.#options.faults;
    const { nowMs } = this.#heap;
    if (kind === REPORT_AGAIN) {
      this.#reportAgain(who, what);
    } else if (kind === SHARD_CRASH) {
      if (this.#shards[who] !== undefined) {
        this.#heap.push(nowMs + downMs, SHARD_RESTART, who, 0);
        this.crashCounts.shards++;
        this.shardServers.forget(who);
      }
      this.#shards[who] = undefined;
      this.#crashLater(SHARD_CRASH, shardCrashMs);
    } else if (kind === GATEWAY_CRASH) {
      this.#crashGateway(who);
      this.#crashLater(GATEWAY_CRASH, gatewayCrashMs);
    } else if (kind === SHARD_RESTART) {
      this.#restartShard(who);
    } else if (kind === GATEWAY_RESTART) {
      this.#restartGateway(who);
    }
  }

  #crashLater(kind: number, meanMs: number): void {
    if (meanMs === Number.POSITIVE_INFINITY) return;
    const count = kind === SHARD_CRASH ? this.#options.shardCount : this.#options.gatewayCount;
    const atMs = this.#heap.nowMs + exponential(this.#random, meanMs);
    if (atMs > this.#options.faults.crashesUntilMs) return;
    this.#heap.push(atMs, kind, this.#random.below(count), 0);
  }

  /**
   * It applies the log again, all that it has been sent meanwhile too. Then it reports its state to
   * all gateways, as it cannot know which reports they have received.
   */
  #restartShard(index: number): void {
    const shard = this.#createShard(index);
    this.#shards[index] = shard;
    let doneMs = this.#heap.nowMs;
    for (let number = 0; number <= (this.#sentLast[index] as number); number++) {
      doneMs = this.#applyEpoch(index, shard, this.log.epoch(number));
      this.#monitor?.applied(index, number, () => shard.digest(), true);
    }
    for (const parts of this.#outgoing) parts.length = 0;
    shard.reportAll((client, number) => this.#addToReport(client, number));
    this.#report(index, doneMs);
  }

  /** Of what it has sealed and does not know to be there for good, some is and some is not. */
  #crashGateway(index: number): void {
    const gateway = this.#gateways[index] as Gateway;
    if (!gateway.isUp) return;
    const safeLast = this.#random.between(gateway.committedLast, gateway.sealedLast);
    for (let number = gateway.committedLast + 1; number <= safeLast; number++) {
      this.#commitNow(index, number);
    }
    this.crashCounts.gateways++;
    this.gatewayServers.forget(index);
    gateway.isUp = false;
    gateway.life++;
    gateway.sealed.clear();
    gateway.open = new Batch(this.#options.shardCount);
    const { downMs } = this.#options.faults;
    this.#heap.push(this.#heap.nowMs + downMs, GATEWAY_RESTART, index, 0);
  }

  /**
   * Whoever takes over reads that part of the log, closes the epochs that are missing in it, and
   * requests again from clients and shards what it may have missed. Until it has closed them, no
   * shard can go on.
   */
  #restartGateway(index: number): void {
    const { epochMs, gatewayCount, shardCount } = this.#options;
    const { nowMs } = this.#heap;
    const gateway = this.#gateways[index] as Gateway;
    gateway.isUp = true;
    this.#known.readAgain(this.log, index, gatewayCount, gateway.committedLast);
    const closed = Math.floor((nowMs - (this.#lateMs[index] as number)) / epochMs);
    const next = Math.max(closed, gateway.committedLast + 1);
    for (let number = gateway.committedLast + 1; number < next; number++) {
      this.#sealNow(index, number);
    }
    this.#sealLater(index, next);
    for (let shard = 0; shard < shardCount; shard++) {
      gateway.unreported.add(shard);
      const requester = this.#livesAs(index, gateway.life);
      this.#heap.push(nowMs + this.#network.delayMs(), REPORT_AGAIN, shard, requester);
    }
    for (let client = index; client < this.#clients.count; client += gatewayCount) {
      this.#clients.resend(client, REQUEST_AGAIN);
    }
  }

  /** A gateway that has restarted requests a report of a shard; if it does not answer, again. */
  #reportAgain(index: number, who: number): void {
    const { nowMs } = this.#heap;
    const gateway = this.#stillThere(who);
    if (gateway < 0) return;
    const shard = this.#shards[index];
    if (shard === undefined) {
      this.#heap.push(nowMs + this.#options.faults.downMs, REPORT_AGAIN, index, who);
      return;
    }
    shard.reportAll((client, number) => {
      if (this.#clients.gatewayOf(client) === gateway) this.#addToReport(client, number);
    });
    this.#reportTo(gateway, index, nowMs, (this.#gateways[gateway] as Gateway).life);
  }

  /** Of that gateway in that life, as one number. */
  #livesAs(gateway: number, life: number): number {
    return life * this.#options.gatewayCount + gateway;
  }

  /** The gateway, or -1 if it has died since. */
  #stillThere(who: number): number {
    const { gatewayCount } = this.#options;
    const index = who % gatewayCount;
    return (this.#gateways[index] as Gateway).life === Math.floor(who / gatewayCount) ? index : -1;
  }

  #showEntries(epoch: Epoch, monitor: Monitor): void {
    for (let rank = 0; rank < this.#options.gatewayCount; rank++) {
      const { words, length } = epoch.at(rank).entries;
      for (let offset = 0; offset < length; ) {
        const kind = words[offset] as number;
        const client = words[offset + 1] as number;
        const number = words[offset + 2] as number;
        const count = words[offset + 3] as number;
        const first = offset + ENTRY_WORDS;
        const wishes = [...words.subarray(first, first + count)];
        monitor.entry(epoch.position(rank, offset), kind, client, number, wishes);
        offset = first + count;
      }
    }
  }
}
