/** A worker that takes sets, blocks for them, and tells what has come of it. */

import { parentPort, workerData } from 'node:worker_threads';
import type { SyncGrant } from '../../src/api/grant.ts';
import { openThreadsDomain } from '../../src/backends/threads/index.ts';

export interface Order {
  readonly exclusive: string;
  readonly timeoutMs?: number;
}

const domain = openThreadsDomain(workerData.arena, { label: workerData.label });

let last: SyncGrant | undefined;

parentPort?.on('message', (order: Order | 'listeners' | 'loss') => {
  if (order === 'loss') {
    const tell = (): void => parentPort?.postMessage({ lost: last?.signal.reason.name });
    if (last?.signal.aborted) tell();
    else last?.signal.addEventListener('abort', tell);
    return;
  }
  if (order === 'listeners') {
    const before = process.listenerCount('exit');
    for (let turn = 0; turn < 20; turn++) void openThreadsDomain(workerData.arena).close();
    void domain.close();
    for (let turn = 0; turn < 20; turn++) void openThreadsDomain(workerData.arena).close();
    parentPort?.postMessage({ listeners: process.listenerCount('exit') - before });
    return;
  }
  const { exclusive, ...options } = order;
  try {
    last = domain.acquireSync(
      { exclusive },
      { label: `${workerData.label} for ${exclusive}`, ...options },
    );
    parentPort?.postMessage({ granted: exclusive });
  } catch (error) {
    const { name, message } = error as Error;
    parentPort?.postMessage({ refused: exclusive, name, message });
  }
});
parentPort?.postMessage({ agent: domain.agent });
