/**
 * Row 13: jobs that each read one name and write another, all queued behind a gate that then opens:
 * what a job costs that does nothing, from its submission to the end of the last.
 *
 * A peer gets what it needs to keep the same order: p-graph the edges between nearest conflicting
 * jobs, which are worked out before the clock runs; p-queue one job at a time, as it knows of no
 * dependencies; the chains a promise for each name, on which readers stand like writers.
 */

import { createDomain } from 'kds';
import { createJobQueue } from 'kds/jobs';
import { type DependencyList, PGraph } from 'p-graph';
import PQueue from 'p-queue';
import { collectGarbage, keepAlive, never, type Subject } from './sampling.ts';

const jobCount = 100_000;
/**
 * It looks for circles by recursion along a chain, which a stack of the usual size is short for.
 */
const graphJobCount = 5_000;
const nameCount = 64;
const readOf = (job: number): number => (job * 7) % nameCount;
const writtenBy = (job: number): number => (job * 13) % nameCount;
const names = Array.from({ length: nameCount }, (_, index) => `name ${index}`);

let ranCount = 0;

export function queuedJobs(): Subject[] {
  const edges = edgesBetweenJobs();
  keepJobs();
  return [
    subject('kds, jobs', inKds),
    subject('p-graph (5,000)', () => inGraph(edges), graphJobCount),
    subject('p-queue, one at a time', inPQueue),
    subject('promise chains', inChains),
  ];
}

/** Of each subject a queue that stays, with a job that runs and one that waits behind it. */
function keepJobs(): void {
  const queue = createJobQueue(createDomain(), { concurrency: 16 });
  const chain = never.then(() => {});
  const onePQueue = new PQueue({ concurrency: 1 });
  const nodes = new Map(['first', 'second'].map((name) => [name, { run: () => never }]));
  const graph = new PGraph(nodes, [['first', 'second']]);
  keepAlive(queue, onePQueue, graph.run({ concurrency: 16 }), chain, Promise.all([chain, chain]));
  for (let job = 0; job < 2; job++) {
    keepAlive(queue.submit({ reads: 'a', writes: 'b', run: () => never }));
    keepAlive(onePQueue.add(() => never));
  }
}

function subject(name: string, run: () => Promise<void>, count = jobCount): Subject {
  return {
    name,
    async sample() {
      collectGarbage();
      const startMs = performance.now();
      ranCount = 0;
      await run();
      if (ranCount !== count) throw new Error(`${name}: ${ranCount} jobs have run`);
      return ((performance.now() - startMs) / count) * 1e6;
    },
  };
}

async function inKds(): Promise<void> {
  const domain = createDomain();
  const queue = createJobQueue(domain, { capacity: 2 ** 17, concurrency: 16 });
  const gate = domain.acquireSync({ exclusive: names });
  for (let job = 0; job < jobCount; job++) {
    const [reads, writes] = [names[readOf(job)], names[writtenBy(job)]];
    queue.submit({
      reads,
      writes,
      run: () => {
        ranCount++;
      },
    });
  }
  gate.release();
  await queue.drain();
}

async function inGraph(edges: DependencyList): Promise<void> {
  const nodes = new Map<string, { run(): void }>();
  for (let job = 0; job < graphJobCount; job++) {
    nodes.set(String(job), {
      run: () => {
        ranCount++;
      },
    });
  }
  await new PGraph(nodes, edges).run({ concurrency: 16 });
}

async function inPQueue(): Promise<void> {
  const queue = new PQueue({ concurrency: 1, autoStart: false });
  for (let job = 0; job < jobCount; job++) {
    void queue.add(() => {
      ranCount++;
    });
  }
  queue.start();
  await queue.onIdle();
}

async function inChains(): Promise<void> {
  let open = (): void => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const last: Promise<unknown>[] = names.map(() => gate);
  for (let job = 0; job < jobCount; job++) {
    const [read, written] = [readOf(job), writtenBy(job)];
    const done = Promise.all([last[read], last[written]]).then(() => {
      ranCount++;
    });
    last[read] = done;
    last[written] = done;
  }
  open();
  await Promise.all(last);
}

/** From the last writer to those who read, from these or from it to the next writer. */
function edgesBetweenJobs(): DependencyList {
  const edges: [string, string][] = [];
  const writer = names.map(() => -1);
  const readers: number[][] = names.map(() => []);
  for (let job = 0; job < graphJobCount; job++) {
    const [read, written] = [readOf(job), writtenBy(job)];
    const before = readers[written] as number[];
    if (before.length === 0) before.push(writer[written] as number);
    for (const each of before) if (each >= 0) edges.push([String(each), String(job)]);
    if (read !== written) {
      const source = writer[read] as number;
      if (source >= 0) edges.push([String(source), String(job)]);
      readers[read]?.push(job);
    }
    writer[written] = job;
    readers[written] = [];
  }
  return edges;
}
