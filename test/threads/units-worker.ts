/** A worker that does one thing after another with units, and reports how each has ended. */

import { parentPort, workerData } from 'node:worker_threads';
import { openThreadsDomain } from '../../src/backends/threads/index.ts';
import type { SetSpec, SyncGrant } from '../../src/index.ts';

export type Order =
  | { readonly do: 'block' | 'acquire'; readonly set: SetSpec }
  | { readonly do: 'declare'; readonly names: readonly string[] }
  | { readonly do: 'release' | 'close' }
  /** Waits for a set, and comes back to its event loop no more. */
  | { readonly do: 'wait and hang'; readonly set: SetSpec; readonly hung: Int32Array };

export interface Answer {
  readonly units?: SyncGrant['units'];
  readonly code?: string;
  readonly message?: string;
}

const domain = openThreadsDomain(workerData.arena);
const grants: SyncGrant[] = [];

async function execute(order: Order): Promise<Answer> {
  switch (order.do) {
    case 'declare':
      domain.setCapacity('gpu', order.names);
      return {};
    case 'release':
      for (const grant of grants.splice(0)) grant.release();
      return {};
    case 'close':
      await domain.close();
      return {};
    case 'wait and hang': {
      const { set, hung } = order;
      domain.acquire(set).catch(() => undefined);
      Atomics.store(hung, 0, 1);
      for (;;) Atomics.load(hung, 0);
    }
    default: {
      const { set } = order;
      const grant = order.do === 'block' ? domain.acquireSync(set) : await domain.acquire(set);
      grants.push(grant);
      return { units: grant.units };
    }
  }
}

parentPort?.on('message', (order: Order) => {
  execute(order).then(
    (answer) => parentPort?.postMessage(answer),
    ({ code, message }) => parentPort?.postMessage({ code, message }),
  );
});
parentPort?.postMessage({ agent: domain.agent });
