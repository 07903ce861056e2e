/**
 * What a simulated domain is made of: how many of each part, and what everything costs.
 *
 * The defaults are a domain in one data centre: sixteen shards, sixteen gateways, a million
 * clients. Costs are of a server that handles one message after another on one core. They are
 * assumptions, told in docs/scale.md with what they were taken from; `npm run sim:scale` takes
 * others.
 */

export interface NetworkOptions {
  /** One way, from one machine to another: at least this. */
  readonly delayMinMs: number;
  /** Added to it: exponential, with this mean. */
  readonly delayMeanMs: number;
  /** One message in so many is late, as after a lost packet; 0 for none. */
  readonly lateOneIn: number;
  readonly lateMs: number;
}

export interface LogOptions {
  /** From the append to the answer that a majority has it on disk: at least this. */
  readonly commitMinMs: number;
  /** Added to it: exponential, with this mean. */
  readonly commitMeanMs: number;
}

export interface CostOptions {
  /** A message, sent or received, whatever is in it: system calls, framing. */
  readonly messageUs: number;
  /** An entry or a report in a message that has many. */
  readonly itemUs: number;
  /** A link that core enters or takes out. */
  readonly linkUs: number;
}

export interface WorkloadOptions {
  readonly resourceCount: number;
  /** Resources of a set. */
  readonly setSize: number;
  /** 0: all resources alike. Else the exponent of Zipf's law: the n-th is wanted 1/n^skew. */
  readonly skew: number;
  /** The part of the resources that are wanted shared, 0 to 1. */
  readonly sharedPart: number;
  /** How long a set is held: exponential, with this mean. */
  readonly holdMs: number;
  /** From the release to the next request of a client: exponential, with this mean. */
  readonly thinkMs: number;
  /** A client asks for no more than so many sets. */
  readonly sectionsMax: number;
}

/** What goes wrong, and how often; for runs that keep the log. */
interface FaultOptions {
  /** A client dies while it waits, or while it holds, in one section of so many; 0 for never. */
  readonly deathOneIn: number;
  /** A client's session ends so long after its death. */
  readonly leaseMs: number;
  /** A client stops waiting after that; Infinity for never. */
  readonly waitMaxMs: number;
  /** From one crash of a shard, or of a gateway, to the next: exponential; Infinity for none. */
  readonly shardCrashMs: number;
  readonly gatewayCrashMs: number;
  /** From a crash to the restart. */
  readonly downMs: number;
  /** From then on nothing crashes any more, so everything must come to an end. */
  readonly crashesUntilMs: number;
}

export interface ScaleOptions {
  readonly seed: number;
  readonly clientCount: number;
  /** At most 30: who of them has been heard is a bit each. */
  readonly shardCount: number;
  readonly gatewayCount: number;
  /** How long a gateway collects before it hands its part of the order on. */
  readonly epochMs: number;
  /** Whether releases are also sent straight to the shards, ahead of their entries. */
  readonly endsAhead: boolean;
  /** Shard by shard: for how long machines collect what they tell each other; 0 for not at all. */
  readonly collectMs: number;
  /** Clocks of gateways differ by at most this. */
  readonly skewMs: number;
  readonly network: NetworkOptions;
  readonly log: LogOptions;
  readonly costs: CostOptions;
  readonly workload: WorkloadOptions;
  readonly faults: FaultOptions;
}

const noFaults: FaultOptions = {
  deathOneIn: 0,
  leaseMs: 1000,
  waitMaxMs: Number.POSITIVE_INFINITY,
  shardCrashMs: Number.POSITIVE_INFINITY,
  gatewayCrashMs: Number.POSITIVE_INFINITY,
  downMs: 100,
  crashesUntilMs: Number.POSITIVE_INFINITY,
};

export const defaultOptions: ScaleOptions = {
  seed: 1,
  clientCount: 1_000_000,
  shardCount: 16,
  gatewayCount: 16,
  epochMs: 2,
  endsAhead: false,
  collectMs: 0,
  skewMs: 0.2,
  network: { delayMinMs: 0.1, delayMeanMs: 0.1, lateOneIn: 10_000, lateMs: 5 },
  log: { commitMinMs: 0.5, commitMeanMs: 0.5 },
  costs: { messageUs: 5, itemUs: 0.3, linkUs: 0.5 },
  workload: {
    resourceCount: 2 ** 22,
    setSize: 2,
    skew: 0,
    sharedPart: 0,
    holdMs: 1,
    thinkMs: 10_000,
    sectionsMax: Number.POSITIVE_INFINITY,
  },
  faults: noFaults,
};

/** Throws RangeError if these are no options to run a domain with. */
export function checkOptions(options: ScaleOptions): void {
  const { workload } = options;
  const mustBe = (isTrue: boolean, what: string): void => {
    if (!isTrue) throw new RangeError(`${what}; got ${JSON.stringify(options)}`);
  };
  const isCount = (count: number, max: number) =>
    Number.isInteger(count) && count >= 1 && count <= max;
  mustBe(isCount(options.shardCount, 30), 'shardCount must be 1 to 30');
  mustBe(isCount(options.gatewayCount, 1000), 'gatewayCount must be 1 to 1,000');
  mustBe(isCount(options.clientCount, 2 ** 24), 'clientCount must be 1 to 2^24');
  mustBe(isCount(workload.resourceCount, 2 ** 24), 'resourceCount must be 1 to 2^24');
  mustBe(isCount(workload.setSize, 64), 'setSize must be 1 to 64');
  mustBe(workload.setSize <= workload.resourceCount, 'a set cannot be larger than all there is');
  mustBe(options.epochMs > 0, 'epochMs must be more than 0');
  mustBe(options.collectMs >= 0 && options.collectMs < 1e6, 'collectMs must be 0 to 1,000,000');
  mustBe(options.skewMs >= 0 && options.skewMs < options.epochMs, 'skewMs must be below epochMs');
}
