/**
 * `npm run sim:scale`: a million clients, sixteen shards, every design, and the figures as tables
 * in Markdown, as they stand in docs/scale.md.
 *
 *     npm run sim:scale -- --only hot --clients 100000 --seed 7 --message-us 1
 *
 * `--only` runs the workloads of that name; the others change what is simulated.
 */

import { parseArgs } from 'node:util';
import { type CostOptions, defaultOptions, type ScaleOptions } from './options.ts';
import { type Design, type Figures, Simulation } from './simulation.ts';

interface Work {
  readonly name: string;
  readonly setSize: number;
  readonly resourceCount: number;
  readonly skew: number;
  readonly sharedPart: number;
  /** Sets a second that clients ask for. */
  readonly load: number;
  /** Virtual time before and in which it is measured. */
  readonly warmUpMs: number;
  readonly measuredMs: number;
  /** More sets are requested than can be granted: only the number of grants is meaningful. */
  readonly isFlood: boolean;
}

interface Way {
  readonly name: string;
  readonly design: Design;
  readonly epochMs: number;
  readonly endsAhead: boolean;
  readonly collectMs: number;
}

const sequenced = (epochMs: number, endsAhead = false): Way => ({
  name: `one order, epochs of ${epochMs} ms${endsAhead ? ', releases ahead' : ''}`,
  design: 'sequenced',
  epochMs,
  endsAhead,
  collectMs: 0,
});

const ordered = (isDurable: boolean, collectMs: number): Way => ({
  name:
    `shard by shard, ${isDurable ? 'durable' : 'in memory'}` +
    `${collectMs > 0 ? `, collected for ${collectMs} ms` : ''}`,
  design: isDurable ? 'ordered, durable' : 'ordered',
  epochMs: 2,
  endsAhead: false,
  collectMs,
});

const shardByShard: readonly Way[] = [
  ordered(true, 0),
  ordered(true, 2),
  ordered(false, 0),
  ordered(false, 2),
];

const waysOfWaiting: readonly Way[] = [
  sequenced(1),
  sequenced(2),
  sequenced(10),
  sequenced(2, true),
  ...shardByShard,
];
const waysOfFlood: readonly Way[] = [sequenced(2), sequenced(2, true), ...shardByShard];

const cold = { name: 'cold', resourceCount: 2 ** 22, skew: 0, sharedPart: 0, isFlood: false };
const hot = { name: 'hot', resourceCount: 2 ** 11, skew: 0, sharedPart: 0, isFlood: false };
const zipf = { name: 'zipf', resourceCount: 2 ** 20, skew: 0.99, sharedPart: 0.9, isFlood: false };
const brief = { warmUpMs: 500, measuredMs: 1500 };
const long = { warmUpMs: 1000, measuredMs: 6000 };
const longest = { warmUpMs: 2000, measuredMs: 30_000 };
const flood = { load: 2_000_000, isFlood: true };

const works: readonly Work[] = [
  { ...cold, setSize: 1, load: 100_000, ...brief },
  { ...cold, setSize: 2, load: 100_000, ...brief },
  { ...cold, setSize: 8, load: 50_000, ...brief },
  { ...hot, setSize: 1, load: 100_000, ...brief },
  { ...hot, setSize: 2, load: 30_000, ...long },
  { ...hot, setSize: 8, load: 2000, ...longest },
  { ...zipf, setSize: 1, load: 10_000, ...long },
  { ...zipf, setSize: 2, load: 4000, ...longest },
  { ...zipf, setSize: 8, load: 500, ...longest },
  { ...cold, ...flood, name: 'cold flood', setSize: 2, warmUpMs: 1000, measuredMs: 500 },
  { ...cold, ...flood, name: 'cold flood', setSize: 8, warmUpMs: 2000, measuredMs: 500 },
  { ...hot, ...flood, name: 'hot flood', setSize: 2, warmUpMs: 5000, measuredMs: 5000 },
  { ...hot, ...flood, name: 'hot flood', setSize: 8, warmUpMs: 5000, measuredMs: 5000 },
];

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    clients: { type: 'string', default: String(defaultOptions.clientCount) },
    seed: { type: 'string', default: String(defaultOptions.seed) },
    gateways: { type: 'string', default: String(defaultOptions.gatewayCount) },
    'commit-ms': { type: 'string', default: '1' },
    'message-us': { type: 'string', default: String(defaultOptions.costs.messageUs) },
  },
});
const clientCount = Number(values.clients);
const seed = Number(values.seed);
const gatewayCount = Number(values.gateways);
const commitMs = Number(values['commit-ms']);
const costs: CostOptions = { ...defaultOptions.costs, messageUs: Number(values['message-us']) };

console.log(
  `${count(clientCount)} clients, ${defaultOptions.shardCount} shards, ` +
    `${gatewayCount} gateways (${2 * gatewayCount} in floods), a message ${costs.messageUs} µs, ` +
    `a commit ${commitMs} ms; seed ${seed}\n`,
);
let runCount = 0;
let granted = 0;
const beganMs = performance.now();
for (const work of works) if (values.only === '' || work.name === values.only) show(work);
const tookSeconds = Math.round((performance.now() - beganMs) / 1000);
console.log(`${runCount} runs, ${count(granted)} sets granted and measured, ${tookSeconds} s`);

function show(work: Work): void {
  const { name, setSize, load, isFlood } = work;
  const requested = isFlood ? 'more requests than grants' : `${count(load)} requests a second`;
  console.log(`**${name}**: sets of ${setSize}; ${requested}\n`);
  const head = isFlood
    ? ['', 'granted a second', 'busiest gateway', 'busiest shard']
    : ['', 'granted a second', 'median ms', 'p99', 'p99.9', 'reserved ms', 'gateway', 'shard'];
  console.log(line(head));
  console.log(line(head.map((_, column) => (column === 0 ? '---' : '---:'))));
  for (const way of isFlood ? waysOfFlood : waysOfWaiting) {
    const figures = measure(work, way);
    console.log(line([way.name, ...cells(figures, work)]));
    runCount++;
    granted += (figures.grantedPerSecond * work.measuredMs) / 1000;
  }
  console.log('');
}

function measure(work: Work, { design, epochMs, endsAhead, collectMs }: Way): Figures {
  const { setSize, resourceCount, skew, sharedPart, load, warmUpMs, measuredMs } = work;
  const thinkMs = (clientCount / load) * 1000;
  const workload = {
    ...defaultOptions.workload,
    setSize,
    resourceCount,
    skew,
    sharedPart,
    thinkMs,
  };
  const options: ScaleOptions = {
    ...defaultOptions,
    seed,
    clientCount,
    epochMs,
    endsAhead,
    collectMs,
    gatewayCount: work.isFlood ? 2 * gatewayCount : gatewayCount,
    log: { commitMinMs: commitMs / 2, commitMeanMs: commitMs / 2 },
    costs,
    workload,
  };
  const simulation = new Simulation(design, options, warmUpMs);
  simulation.run(warmUpMs + measuredMs);
  return simulation.figures(warmUpMs + measuredMs);
}

function cells(figures: Figures, { isFlood, load }: Work): readonly string[] {
  const { grantedPerSecond, medianMs, p99Ms, p999Ms, reservedMs } = figures;
  const busy = [figures.gatewayBusy, figures.shardBusy].map(percent);
  const rate = count(Number(grantedPerSecond.toPrecision(3)));
  // Then the waits are of a backlog that grows, and say only that.
  if (!isFlood && grantedPerSecond < 0.97 * load) {
    return [`${rate}: too few`, ...['-', '-', '-', '-'], ...busy];
  }
  if (isFlood) return [rate, ...busy];
  return [rate, ...[medianMs, p99Ms, p999Ms, reservedMs].map(short), ...busy];
}

/** Work is counted when it comes in: a server that falls behind would seem to do more than all. */
function percent(part: number): string {
  return `${Math.min(100, part * 100).toFixed(0)}%`;
}

function short(ms: number): string {
  return ms >= 100 ? count(Math.round(ms)) : ms.toFixed(ms >= 10 ? 1 : 2);
}

function count(number: number): string {
  return Math.round(number).toLocaleString('en');
}

function line(row: readonly string[]): string {
  return `| ${row.join(' | ')} |`;
}
