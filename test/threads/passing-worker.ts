/** A worker that reads and writes shared words without Atomics, under a grant only. */

import { parentPort, workerData } from 'node:worker_threads';
import { type Arena, openThreadsDomain } from '../../src/backends/threads/index.ts';

export interface PassingData {
  readonly arena: Arena;
  /** The first is counted up by whoever is in; all others follow it, near and far. */
  readonly words: SharedArrayBuffer;
  readonly turnCount: number;
  readonly way: 'blocks' | 'waits' | 'spins' | 'in turns';
}

const { arena, words: buffer, turnCount, way } = workerData as PassingData;
const words = new Int32Array(buffer);
const domain = openThreadsDomain(arena);
let staleCount = 0;

for (let turn = 0; turn < turnCount; turn++) {
  const isAsync = way === 'waits' || (way === 'in turns' && turn % 2 === 0);
  const set = { exclusive: 'words' };
  const spinUs = way === 'spins' ? 50 : 0;
  const grant = isAsync ? await domain.acquire(set) : domain.acquireSync(set, { spinUs });
  const count = words[0] as number;
  for (let at = 1; at < words.length; at += 7) if (words[at] !== count) staleCount++;
  words[0] = count + 1;
  for (let at = 1; at < words.length; at += 7) words[at] = count + 1;
  grant.release();
}
await domain.close();
parentPort?.postMessage(staleCount);
