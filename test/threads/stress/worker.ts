/**
 * One of many workers that ask for random sets in every way there is, and watch each other: who is
 * inside of a resource is counted in shared words outside of kds.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { type Arena, openThreadsDomain } from '../../../src/backends/threads/index.ts';
import { traceIfAsked } from '../../../src/inspect/trace.ts';

export interface StressData {
  readonly arena: Arena;
  /**
   * Per resource: who writes (worker + 1), and how many read; then per worker its sections; then
   * whether it is time to stop.
   */
  readonly counters: SharedArrayBuffer;
  readonly worker: number;
  readonly seed: number;
}

export const resourceCount = 5;
const { arena, counters, worker, seed } = workerData as StressData;
const inside = new Int32Array(counters);
// Of all that happens, if KDS_TRACE names a file.
traceIfAsked();
const domain = openThreadsDomain(arena, { label: `worker ${worker}` });
let state = seed | 1;

function random(count: number): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % count;
}

type Grant = ReturnType<typeof domain.acquireSync>;

function enter(names: readonly string[], isWriter: boolean, { recovered }: Grant): void {
  for (const name of names) {
    const at = 2 * Number(name);
    // Whoever died in there has left its number; its successor is told, and puts it right.
    if (recovered.includes(name)) {
      const dead = Atomics.load(inside, at);
      if (dead !== 0) Atomics.compareExchange(inside, at, dead, 0);
    }
    const writer = Atomics.load(inside, at);
    if (writer !== 0) fail(`${name}: ${writer - 1} writes, and ${worker} comes in`);
    if (isWriter) Atomics.store(inside, at, worker + 1);
  }
}

function leave(names: readonly string[], isWriter: boolean): void {
  for (const name of names) {
    const writer = Atomics.load(inside, 2 * Number(name));
    const expected = isWriter ? worker + 1 : 0;
    if (writer !== expected) fail(`${name}: ${worker} was there, and finds ${writer - 1}`);
    if (isWriter) Atomics.store(inside, 2 * Number(name), 0);
  }
}

function fail(what: string): never {
  parentPort?.postMessage({ violation: what });
  throw new Error(what);
}

function visit(grant: Grant, exclusive: readonly string[], shared: readonly string[]): void {
  enter(exclusive, true, grant);
  enter(shared, false, grant);
  for (let turn = random(200); turn > 0; turn--) Atomics.load(inside, 0);
  leave(shared, false);
  leave(exclusive, true);
  if (random(4) === 0) {
    grant.downgrade();
    enter(exclusive, false, grant);
    leave(exclusive, false);
  }
  if (exclusive.length > 0 && random(4) === 0) grant.release(exclusive[0] as string);
  grant.release();
  Atomics.add(inside, 2 * resourceCount + worker, 1);
}

async function once(): Promise<void> {
  const names = Array.from({ length: 1 + random(3) }, () => String(random(resourceCount)));
  const exclusive = [...new Set(names.filter(() => random(2) === 0))];
  const shared = [...new Set(names)].filter((name) => !exclusive.includes(name));
  const set = { exclusive, shared };
  const timeoutMs = random(5) === 0 ? random(3) : 1000;
  const way = random(4);
  try {
    if (way === 0)
      visit(domain.acquireSync(set, { timeoutMs, spinUs: random(50) }), exclusive, shared);
    else if (way === 1)
      visit((await domain.acquire(set, { timeoutMs })) as Grant, exclusive, shared);
    else if (way === 2) {
      const grant = domain.tryAcquireSync(set);
      if (grant !== null) visit(grant, exclusive, shared);
    } else {
      const stop = new AbortController();
      const asked = domain.acquire(set, { signal: stop.signal });
      if (random(3) === 0) queueMicrotask(() => stop.abort());
      else setTimeout(() => stop.abort(), random(20));
      visit((await asked) as Grant, exclusive, shared);
    }
  } catch (error) {
    const { name } = error as Error;
    if (name !== 'TimeoutError' && name !== 'AbortError') throw error;
  }
}

while (Atomics.load(inside, inside.length - 1) === 0) {
  for (let turn = 0; turn < 20; turn++) await once();
  await new Promise((resolve) => setImmediate(resolve));
}
await domain.close();
parentPort?.postMessage({ done: worker });
