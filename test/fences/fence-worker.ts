/** A worker with fences of an arena: it does as it is told, and says what it sees. */

import { parentPort, workerData } from 'node:worker_threads';
import { type FenceArena, openFence } from '../../src/recipes/fences/index.ts';

export type FenceOrder =
  | { readonly do: 'signal' | 'wait' | 'add callback'; readonly fence: number }
  | { readonly do: 'block'; readonly fence: number; readonly timeoutMs?: number }
  | { readonly do: 'fail'; readonly fence: number; readonly error: number }
  | { readonly do: 'race'; readonly count: number; readonly start: number };

export interface Seen {
  readonly is: unknown;
  readonly won?: readonly number[];
}

const arena = workerData as FenceArena;
const port = parentPort!;
const say = (seen: Seen): void => port.postMessage(seen);

/** Ends many fences as fast as it can, once all who take part are ready: which it was first at. */
function race(count: number, start: number): readonly number[] {
  openFence(arena, start).waitSync();
  const won: number[] = [];
  for (let index = 0; index < count; index++) {
    if (openFence(arena, index).fail(1 + (index % 7))) won.push(index);
  }
  return won;
}

port.on('message', (order: FenceOrder) => {
  if (order.do === 'race') {
    say({ is: 'ready' });
    say({ is: 'done', won: race(order.count, order.start) });
    return;
  }
  const fence = openFence(arena, order.fence);
  const tell = (): void => say({ is: fence.status });
  const told = (error: unknown): void => say({ is: (error as { code: string }).code });
  switch (order.do) {
    case 'signal':
      say({ is: fence.signal() });
      break;
    case 'fail':
      say({ is: fence.fail(order.error) });
      break;
    case 'wait':
      fence.wait().then(tell, told);
      say({ is: 'waiting' });
      break;
    case 'add callback':
      say({ is: fence.addCallback(tell) === null ? 'refused' : 'added' });
      break;
    case 'block':
      say({ is: 'blocking' });
      try {
        fence.waitSync(order.timeoutMs === undefined ? {} : { timeoutMs: order.timeoutMs });
        tell();
      } catch (error) {
        told(error);
      }
  }
});
// What it waits for keeps no thread alive; the port does.
say({ is: 'ready' });
