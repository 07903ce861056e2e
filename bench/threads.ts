/**
 * The rows of worker threads. Two workers do the same work in every form, in one process, by turns;
 * what they do is in threads-worker.ts. A sample is the median of many hand-overs.
 */

import { Worker } from 'node:worker_threads';
import { createDomain } from 'kds';
import { createArena, openThreadsDomain } from 'kds/threads';
import { bareAwait } from './free.ts';
import { keepAlive, type Loop, loopSubject, median, quantile, type Subject } from './sampling.ts';

/** What the two workers are told to do. */
export interface Task {
  readonly form: string;
  readonly count: number;
}

/** Acquire and release what is free: the price of the lock and the journal. */
export async function freeInArena(): Promise<Subject[]> {
  const inLoop = createDomain();
  const inArena = openThreadsDomain(createArena());
  const loopSet = inLoop.prepare({ exclusive: [inLoop.resource(), inLoop.resource()] });
  const arenaSet = inArena.prepare({ exclusive: [inArena.resource(), inArena.resource()] });
  for (const domain of [inLoop, inArena]) {
    keepAlive(domain.tryAcquireSync({ exclusive: [domain.resource(), domain.resource()] }));
  }
  const loops: Record<string, Loop> = {
    'kds, one event loop': (count) => {
      let sum = 0;
      for (let index = 0; index < count; index++) {
        const grant = inLoop.tryAcquireSync(loopSet);
        sum += grant?.token ?? 0;
        grant?.release();
      }
      return sum;
    },
    'a bare await': bareAwait,
    'kds, threads': (count) => {
      let sum = 0;
      for (let index = 0; index < count; index++) {
        const grant = inArena.tryAcquireSync(arenaSet);
        sum += grant?.token ?? 0;
        grant?.release();
      }
      return sum;
    },
  };
  const subjects: Subject[] = [];
  for (const [name, loop] of Object.entries(loops)) subjects.push(await loopSubject(name, loop));
  return subjects;
}

/** To and fro between two threads: ns a hand-over. */
export async function handOver(): Promise<Subject[]> {
  const pair = await WorkerPair.start();
  const forms: readonly [form: string, count: number][] = [
    ['kds, to a blocked thread', 2_000],
    ['a bare Atomics.wait', 2_000],
    ['kds, to a spinning thread', 20_000],
    ['a bare spin', 20_000],
  ];
  return forms.map(([form, count]) => ({
    name: form,
    sample: async () => {
      const [ms] = await pair.run({ form, count });
      return ((ms as number) / (2 * count)) * 1e6;
    },
  }));
}

/** From the end of a step in one worker to the start of the next one in the other: ns. */
export async function workerToWorker(): Promise<Subject[]> {
  const pair = await WorkerPair.start();
  const subjects: Subject[] = [];
  const add = (form: string, name: string, of: (ns: readonly number[]) => number): void => {
    const count = 200;
    subjects.push({
      name,
      sample: async () => {
        const stop = form.includes('busy main') ? keepBusy() : undefined;
        const latencies = await pair.run({ form, count });
        stop?.();
        return of(latencies);
      },
    });
  };
  for (const form of pair.forms) {
    add(form, form, median);
    add(form, `${form}, p99`, (latencies) => quantile(latencies, 0.99));
  }
  return subjects;
}

/** This event loop has tasks of its own, of ten milliseconds each, one after another. */
function keepBusy(): () => void {
  const stretchMs = 10;
  let isNeeded = true;
  const task = (): void => {
    const untilMs = performance.now() + stretchMs;
    while (performance.now() < untilMs);
    if (isNeeded) setImmediate(task);
  };
  setImmediate(task);
  return () => {
    isNeeded = false;
  };
}

class WorkerPair {
  readonly #first: Worker;
  readonly #second: Worker;
  readonly forms = [
    'kds, blocked',
    'kds, awaited',
    'a MessagePort between them',
    'bounced through an idle main',
    'bounced through a busy main',
    ...(globalThis.navigator?.locks === undefined ? [] : ['navigator.locks']),
  ];

  private constructor(first: Worker, second: Worker) {
    this.#first = first;
    this.#second = second;
  }

  static async start(): Promise<WorkerPair> {
    const url = new URL('./threads-worker.js', import.meta.url);
    const arena = createArena();
    const words = new SharedArrayBuffer(64 * 1024);
    const { port1, port2 } = new MessageChannel();
    const start = (side: number, port: MessagePort): Worker => {
      const transferList = [port as unknown as import('node:worker_threads').MessagePort];
      const worker = new Worker(url, { workerData: { side, arena, words, port }, transferList });
      worker.unref();
      return worker;
    };
    const pair = new WorkerPair(start(0, port1), start(1, port2));
    for (const [from, to] of [
      [pair.#first, pair.#second],
      [pair.#second, pair.#first],
    ] as const) {
      from.on('message', (message) => {
        if (message.bounce !== undefined) to.postMessage(message);
      });
    }
    await pair.run({ form: 'a bare spin', count: 10 });
    return pair;
  }

  /** Both do the task; what the second one has measured comes back. */
  async run(task: Task): Promise<readonly number[]> {
    const ended = [this.#first, this.#second].map(
      (worker) =>
        new Promise<readonly number[]>((resolve) => {
          const hear = (message: { result?: readonly number[] }): void => {
            if (message.result === undefined) return;
            worker.off('message', hear);
            resolve(message.result);
          };
          worker.on('message', hear);
          worker.postMessage({ task });
        }),
    );
    const [, measured] = await Promise.all(ended);
    return measured as readonly number[];
  }
}
