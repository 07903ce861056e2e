/** One run: a domain, its clients, virtual time from 0 on, and the figures at its end. */

import { SeededRandom } from '../random.ts';
import { Clients, type OnSection } from './clients.ts';
import { EventHeap } from './event-heap.ts';
import { Network } from './machinery.ts';
import { Measures } from './measures.ts';
import { checkOptions, type ScaleOptions } from './options.ts';
import { Ordered } from './ordered.ts';
import { type Monitor, Sequenced } from './sequenced.ts';

/** One order for all shards; or locking shard by shard, with or without logs of the shards. */
export type Design = 'sequenced' | 'ordered' | 'ordered, durable';

export interface Figures {
  /** Sets granted in a second of virtual time, and how many were asked for by those who think. */
  readonly grantedPerSecond: number;
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  /** From the first part of a set that is triggered to the last: idle, and nobody can have it. */
  readonly reservedMs: number;
  /** The part of its time that the busiest gateway, or shard, works; 0 to 1. */
  readonly gatewayBusy: number;
  readonly shardBusy: number;
  readonly eventCount: number;
}

export class Simulation {
  readonly heap = new EventHeap();
  readonly clients: Clients;
  readonly domain: Sequenced | Ordered;
  readonly #measures: Measures;
  readonly #fromMs: number;
  #isMeasuring = false;
  #grantedBefore = 0;
  #busyBefore = { gateway: 0, shard: 0 };

  /** What happens before `fromMs` is not measured. Throws RangeError on options that cannot be. */
  constructor(
    design: Design,
    options: ScaleOptions,
    fromMs = 0,
    looking: { readonly monitor?: Monitor; readonly onSection?: OnSection } = {},
  ) {
    checkOptions(options);
    const { heap } = this;
    const random = new SeededRandom(options.seed);
    const network = new Network(random.fork(), options.network);
    const measures = new Measures(options.clientCount, fromMs);
    this.#measures = measures;
    this.#fromMs = fromMs;
    const onWait = (client: number, waitMs: number, requestedMs: number): void =>
      measures.waited(client, waitMs, requestedMs);
    const clients = new Clients(options, random.fork(), network, heap, onWait, looking.onSection);
    this.clients = clients;
    const parts = { heap, clients, network, random: random.fork(), measures };
    this.domain =
      design === 'sequenced'
        ? new Sequenced(options, parts, looking.monitor)
        : new Ordered(options, design === 'ordered, durable', parts);
  }

  /** Runs until that moment, or until nobody wants anything any more; true if that is so. */
  run(untilMs: number): boolean {
    const { heap, domain } = this;
    let lookAgain = 0;
    while (heap.nextMs <= untilMs) {
      if (!this.#isMeasuring && heap.nextMs > this.#fromMs) this.#beginMeasuring();
      heap.take();
      domain.on(heap.kind, heap.who, heap.what);
      if (!this.clients.areFinished || heap.nowMs < lookAgain) continue;
      if (domain.isQuiet) return true;
      lookAgain = heap.nowMs + 1;
    }
    return domain.isQuiet;
  }

  figures(untilMs: number): Figures {
    const seconds = (untilMs - this.#fromMs) / 1000;
    const [medianMs = 0, p99Ms = 0, p999Ms = 0] = this.#measures.percentiles([0.5, 0.99, 0.999]);
    const { gatewayServers, shardServers } = this.domain;
    return {
      grantedPerSecond: (this.clients.grantedCount - this.#grantedBefore) / seconds,
      medianMs,
      p99Ms,
      p999Ms,
      reservedMs: this.#measures.reservedMeanMs,
      gatewayBusy: (gatewayServers.busiestMs - this.#busyBefore.gateway) / 1000 / seconds,
      shardBusy: (shardServers.busiestMs - this.#busyBefore.shard) / 1000 / seconds,
      eventCount: this.heap.pushedCount,
    };
  }

  #beginMeasuring(): void {
    this.#isMeasuring = true;
    this.#grantedBefore = this.clients.grantedCount;
    const { gatewayServers, shardServers } = this.domain;
    this.#busyBefore = { gateway: gatewayServers.busiestMs, shard: shardServers.busiestMs };
  }
}
