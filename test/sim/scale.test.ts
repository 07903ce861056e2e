/**
 * The domain in shards: that it keeps the rule under faults, in many small worlds; that locking
 * shard by shard excludes and ends, but is not the rule; and a small one of the large runs.
 *
 * All of it is virtual time: nothing here depends on how fast this machine is. KDS_SEED repeats a
 * failure, whose world is told.
 */

import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../../sim/random.ts';
import { EventHeap } from '../../sim/scale/event-heap.ts';
import { Network } from '../../sim/scale/machinery.ts';
import { Measures } from '../../sim/scale/measures.ts';
import { defaultOptions, type ScaleOptions } from '../../sim/scale/options.ts';
import { Parcels } from '../../sim/scale/parcels.ts';
import { Sequenced } from '../../sim/scale/sequenced.ts';
import { type Design, type Figures, Simulation } from '../../sim/scale/simulation.ts';
import { collisions, overtakings, ScaleMonitor } from './scale-monitor.ts';

const seed = Number(process.env['KDS_SEED'] ?? Date.now() % 2 ** 31);
const worldCount = Number(process.env['KDS_WORLDS'] ?? 40);
/** Far more than any world takes: who has not come to an end by then waits for ever. */
const longMs = 30_000;

const never = Number.POSITIVE_INFINITY;

/** A small world, with what goes wrong in it. */
function smallWorld(number: number): ScaleOptions {
  const random = new SeededRandom(seed + number);
  const resourceCount = random.between(1, 12);
  return {
    ...defaultOptions,
    seed: seed + number,
    clientCount: random.between(2, 24),
    shardCount: random.between(1, 5),
    gatewayCount: random.between(1, 4),
    epochMs: random.pick([1, 2, 5, 10]),
    network: { delayMinMs: 0.1, delayMeanMs: 0.3, lateOneIn: 20, lateMs: 15 },
    workload: {
      ...defaultOptions.workload,
      resourceCount,
      setSize: random.between(1, Math.min(4, resourceCount)),
      sharedPart: random.pick([0, 0.5, 0.8]),
      skew: random.pick([0, 1]),
      holdMs: random.pick([0, 2, 10]),
      thinkMs: random.pick([0, 5, 50]),
      sectionsMax: random.between(3, 12),
    },
    faults: {
      deathOneIn: random.pick([0, 10]),
      leaseMs: 60,
      waitMaxMs: random.pick([never, 15, 50]),
      shardCrashMs: random.pick([never, 30, 100]),
      gatewayCrashMs: random.pick([never, 80, 200]),
      downMs: random.pick([5, 40]),
      crashesUntilMs: 1500,
    },
  };
}

function untilQuiet(simulation: Simulation, options: ScaleOptions): void {
  const isQuiet = simulation.run(longMs);
  expect(isQuiet, `the end of ${JSON.stringify(options)}`).toBe(true);
}

function runSequenced(options: ScaleOptions, monitor: ScaleMonitor): Sequenced {
  const looking = { monitor, onSection: monitor.onSection };
  const simulation = new Simulation('sequenced', options, 0, looking);
  untilQuiet(simulation, options);
  if (!(simulation.domain instanceof Sequenced)) throw new Error('it is of another design');
  return simulation.domain;
}

function inWorld(options: ScaleOptions, look: () => void): void {
  try {
    look();
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`KDS_SEED=${seed}: ${what}\nin ${JSON.stringify(options)}`, { cause });
  }
}

describe('a domain in shards with one order', () => {
  it('grants a set exactly where the rule does, though shards, gateways, clients die', () => {
    console.info(`seed ${seed}`);
    const seen = { cancelled: 0, expired: 0, reapplied: 0, shards: 0, gateways: 0, sections: 0 };
    for (let number = 0; number < worldCount; number++) {
      const options = smallWorld(number);
      inWorld(options, () => {
        const monitor = new ScaleMonitor(options);
        const domain = runSequenced(options, monitor);
        monitor.expectTheRule(domain.shards);
        monitor.expectTheOrderOfTheLog();
        monitor.expectMarksOfTheDead();
        expect(collisions(monitor.sections)).toEqual([]);
        seen.cancelled += monitor.cancelledCount;
        seen.expired += monitor.entryCounts[2] ?? 0;
        seen.reapplied += monitor.reappliedCount;
        seen.shards += domain.crashCounts.shards;
        seen.gateways += domain.crashCounts.gateways;
        seen.sections += monitor.sections.length;
      });
    }
    for (const [what, count] of Object.entries(seen)) expect(count, what).toBeGreaterThan(20);
  });

  it('excludes, ends and keeps the order of the log when releases are sent ahead', () => {
    for (let number = 0; number < worldCount; number++) {
      const options = { ...smallWorld(number), endsAhead: true };
      inWorld(options, () => {
        const monitor = new ScaleMonitor(options);
        monitor.expectTheSameInTheEnd(runSequenced(options, monitor).shards);
        monitor.expectTheOrderOfTheLog();
        monitor.expectMarksOfTheDead();
        expect(collisions(monitor.sections)).toEqual([]);
      });
    }
  });
});

describe('the same shards locked one by one', () => {
  it('exclude each other and come to an end', () => {
    for (let number = 0; number < worldCount; number++) {
      const { faults: _, ...rest } = smallWorld(number);
      const collectMs = number % 4 < 2 ? 0 : rest.epochMs;
      const options = { ...rest, collectMs, faults: defaultOptions.faults };
      inWorld(options, () => {
        const monitor = new ScaleMonitor(options);
        const design: Design = number % 2 === 0 ? 'ordered' : 'ordered, durable';
        untilQuiet(new Simulation(design, options, 0, monitor), options);
        expect(collisions(monitor.sections)).toEqual([]);
      });
    }
  });

  it('let somebody past who asked long after, which one order does not', () => {
    const options: ScaleOptions = {
      ...defaultOptions,
      clientCount: 200,
      workload: {
        ...defaultOptions.workload,
        resourceCount: 48,
        setSize: 4,
        thinkMs: 50,
        sectionsMax: 10,
      },
    };
    const count = (design: Design): number => {
      const monitor = new ScaleMonitor(options);
      untilQuiet(new Simulation(design, options, 0, monitor), options);
      const inOrder = [...monitor.sections].sort((a, b) => a.requestedMs - b.requestedMs);
      // More than a late message, an epoch and the difference of clocks make.
      return overtakings(inOrder, (a, b) => b.requestedMs - a.requestedMs > 20).length;
    };
    expect(count('sequenced')).toBe(0);
    expect(count('ordered')).toBeGreaterThan(100);
  });
});

describe('a large domain, made small', () => {
  const clientCount = 20_000;

  function figures(design: Design, perSecond: number, change: Partial<ScaleOptions>): Figures {
    const options = { ...defaultOptions, clientCount, ...change };
    const workload = { ...options.workload, thinkMs: (clientCount / perSecond) * 1000 };
    const simulation = new Simulation(design, { ...options, workload }, 200);
    simulation.run(1200);
    return simulation.figures(1200);
  }

  it('is one run for one seed, and another one for another', () => {
    const first = figures('sequenced', 10_000, {});
    expect(figures('sequenced', 10_000, {})).toEqual(first);
    expect(figures('sequenced', 10_000, { seed: 2 })).not.toEqual(first);
  });

  it('grants what is asked for, and the longer its epochs the longer it takes', () => {
    const short = figures('sequenced', 20_000, { epochMs: 1 });
    const long = figures('sequenced', 20_000, { epochMs: 10 });
    expect(short.grantedPerSecond).toBeGreaterThan(18_000);
    expect(long.grantedPerSecond).toBeGreaterThan(18_000);
    // Half an epoch on average.
    expect(long.medianMs - short.medianMs).toBeGreaterThan(3);
    expect(long.medianMs - short.medianMs).toBeLessThan(6);
    expect(long.gatewayBusy).toBeLessThan(short.gatewayBusy);
  });

  it('works less and waits longer where messages from shard to shard are collected', () => {
    const collected = figures('ordered', 20_000, { collectMs: 2 });
    const each = figures('ordered', 20_000, {});
    expect(collected.medianMs).toBeGreaterThan(each.medianMs + 1);
    const rare = { gatewayCount: 2, shardCount: 2 };
    const busy = figures('ordered', 20_000, { ...rare, collectMs: 2 });
    expect(busy.shardBusy).toBeLessThan(figures('ordered', 20_000, rare).shardBusy / 2);
  });

  it('is quicker shard by shard as long as nothing has to be safe on disk', () => {
    const options = { workload: { ...defaultOptions.workload, setSize: 8 } };
    const sequenced = figures('sequenced', 10_000, options);
    expect(figures('ordered', 10_000, options).medianMs).toBeLessThan(sequenced.medianMs);
    expect(figures('ordered, durable', 10_000, options).medianMs).toBeGreaterThan(
      sequenced.medianMs,
    );
  });
});

describe('the parts of the simulation', () => {
  it("messages that leave at one moment are one parcel, and a moment is a machine's own", () => {
    const network = new Network(new SeededRandom(seed), defaultOptions.network);
    const parcels = new Parcels(3, 2, network, new SeededRandom(seed));
    const leavesMs = parcels.leavesMs(0, 7);
    expect(leavesMs).toBeGreaterThanOrEqual(7);
    expect(leavesMs).toBeLessThan(9);
    expect(parcels.leavesMs(0, leavesMs)).toBe(leavesMs);
    expect(parcels.leavesMs(1, 7)).not.toBe(leavesMs);
    expect(parcels.isFirst(0, 1, leavesMs)).toBe(true);
    parcels.begin(0, 1, leavesMs, 0);
    expect(parcels.isFirst(0, 1, leavesMs)).toBe(false);
    expect(parcels.isFirst(0, 2, leavesMs)).toBe(true);
    expect(parcels.isFirst(0, 1, leavesMs + 2)).toBe(true);
    const comesInMs = parcels.comesInMs(0, 1);
    expect(comesInMs).toBeGreaterThan(leavesMs);
    expect(parcels.comesIn(0, 1, comesInMs)).toBe(true);
    expect(parcels.comesIn(0, 1, comesInMs)).toBe(false);
    const each = new Parcels(3, 0, network, new SeededRandom(seed));
    expect(each.leavesMs(0, 7)).toBe(7);
    each.begin(0, 1, 7, 0);
    expect(each.isFirst(0, 1, 7)).toBe(true);
  });

  it('events come in the order of their moments, and of one moment as they were pushed', () => {
    const random = new SeededRandom(seed);
    const heap = new EventHeap();
    const expected: { atMs: number; number: number }[] = [];
    const taken: { atMs: number; number: number }[] = [];
    const take = (): void => {
      expected.sort((a, b) => a.atMs - b.atMs || a.number - b.number);
      expect(heap.nextMs).toBe(expected[0]?.atMs ?? never);
      expect(heap.take()).toBe(expected.length > 0);
      if (expected.length > 0) taken.push({ atMs: heap.nowMs, number: heap.who });
      expect(taken.at(-1)).toEqual(expected.shift() ?? taken.at(-1));
    };
    for (let number = 0; number < 3000; number++) {
      const atMs = heap.nowMs + random.below(20);
      heap.push(atMs, 1, number, -number);
      expected.push({ atMs, number });
      if (random.chance(0.4)) take();
    }
    while (heap.length > 0) take();
    expect(heap.take()).toBe(false);
    expect(taken).toHaveLength(3000);
    expect(() => heap.push(heap.nowMs - 1, 1, 0, 0)).toThrow(RangeError);
    expect(() => heap.push(Number.NaN, 1, 0, 0)).toThrow(RangeError);
  });

  it('the percentile of a part is the least wait that so many do not exceed', () => {
    const measures = new Measures(1, 0);
    expect(measures.percentiles([0.5])).toEqual([Number.NaN]);
    for (let wait = 1000; wait >= 1; wait--) measures.waited(0, wait, 0);
    measures.waited(0, 5000, -1);
    expect(measures.percentiles([0, 0.5, 0.99, 0.999, 1])).toEqual([1, 500, 990, 999, 1000]);
  });

  it.each([
    { shardCount: 31 },
    { shardCount: 0 },
    { gatewayCount: 1.5 },
    { clientCount: 0 },
    { epochMs: 0 },
    { skewMs: 2 },
    { collectMs: -1 },
    { collectMs: Number.NaN },
    { workload: { ...defaultOptions.workload, setSize: 3, resourceCount: 2 } },
  ])('is not run with %j', (wrong) => {
    expect(() => new Simulation('sequenced', { ...defaultOptions, ...wrong })).toThrow(RangeError);
  });
});
