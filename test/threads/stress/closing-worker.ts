/**
 * One of several workers that take sets, through sessions that they close at any moment: while
 * others release what the session waits for, with grants, waiters and sessions within it.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { type Arena, openThreadsDomain } from '../../../src/backends/threads/index.ts';
import type { SyncGrant, SyncSession } from '../../../src/index.ts';

export const resourceCount = 4;
/** Of all that goes through sessions. */
export const closingLabel = 'of a session';

interface ClosingData {
  readonly arena: Arena;
  readonly inside: Int32Array;
  readonly worker: number;
  readonly seed: number;
  readonly untilMs: number;
}

/** A module that a test imports for its constants is no worker. */
if (workerData?.arena !== undefined) void work(workerData as ClosingData);

async function work({ arena, inside, worker, seed, untilMs }: ClosingData): Promise<void> {
  const domain = openThreadsDomain(arena, { label: `worker ${worker}` });
  const violations: string[] = [];
  let state = seed | 1;
  let closedCount = 0;

  function random(count: number): number {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % count;
  }

  const names = (): string[] => {
    const chosen = Array.from({ length: 1 + random(2) }, () => String(random(resourceCount)));
    return [...new Set(chosen)];
  };

  const spin = (): void => {
    for (let turn = random(2000); turn > 0; turn--) Atomics.load(inside, 0);
  };

  /** Exclusive, blocking or not, for a moment. */
  function visit(grant: SyncGrant, exclusive: readonly string[]): void {
    for (const name of exclusive) {
      const before = Atomics.exchange(inside, Number(name), worker + 1);
      if (before !== 0) violations.push(`${name}: ${before - 1} is there as ${worker} comes in`);
    }
    spin();
    for (const name of exclusive) {
      const found = Atomics.exchange(inside, Number(name), 0);
      if (found !== worker + 1) violations.push(`${name}: ${worker} was there, and finds ${found}`);
    }
    grant.release();
  }

  const ignore = (): void => undefined;

  /** Some of what a session may have: what waits, what is held, what is told by a callback. */
  function ask(session: SyncSession): void {
    const label = closingLabel;
    const set = random(3) === 0 ? { shared: names() } : { exclusive: names() };
    const way = random(4);
    if (way === 0) session.tryAcquireSync(set, { label });
    else if (way === 1) session.acquire(set, { label }).catch(ignore);
    else if (way === 2) session.enqueue(set, ignore, { label, delivery: 'direct' });
    else session.acquire(set, { label, timeoutMs: random(3) }).catch(ignore);
  }

  while (Date.now() < untilMs) {
    const session = domain.session({ label: `closed by ${worker}` });
    const inner = session.session({ label: `closed by ${worker}` });
    for (let count = 1 + random(4); count > 0; count--) ask(random(2) === 0 ? session : inner);
    spin();
    if (random(2) === 0) await null;
    await session.close();
    closedCount++;
    const { held, pending } = domain.querySync();
    for (const { session: of, token } of [...held, ...pending]) {
      if (of === `closed by ${worker}`) violations.push(`token ${token} of a closed session`);
    }
    const exclusive = names();
    try {
      visit(domain.acquireSync({ exclusive }, { timeoutMs: 20_000 }), exclusive);
    } catch (error) {
      violations.push(String(error));
    }
    if (violations.length > 0) break;
    if (closedCount % 20 === 0) await new Promise(setImmediate);
  }
  await domain.close();
  parentPort?.postMessage({ closedCount, violations });
}
