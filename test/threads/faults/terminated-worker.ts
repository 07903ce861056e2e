/**
 * A worker that stops for good at a counted step of an operation, to be terminated exactly there;
 * or, told otherwise, one of those who go on. The sources are bundled with the step counter.
 */

import { parentPort, workerData } from 'node:worker_threads';
import {
  type Arena,
  openThreadsDomain,
  type ThreadsDomain,
} from '../../../src/backends/threads/index.ts';

export type Operation =
  | 'takes what is free'
  | 'begins to wait'
  | 'lets go'
  | 'cancels'
  | 'blocks until it is granted'
  | 'waits in its event loop until it is granted'
  | 'opens a domain'
  | 'closes a domain';

export type Order =
  /** Opens a domain, and has what it needs to do the operation. */
  | { readonly do: 'prepare'; readonly arena: Arena; readonly operation: Operation }
  /** Does the operation, as far as this step, or whole. */
  | { readonly do: 'operate'; readonly step: number }
  | { readonly do: 'open'; readonly arena: Arena }
  | { readonly do: 'block'; readonly exclusive: string }
  /** Lets go of what it has, as soon as somebody waits for it or the other one has stopped. */
  | { readonly do: 'hand over'; readonly to: Int32Array }
  | { readonly do: 'release' }
  | { readonly do: 'close' };

export interface Answer {
  readonly token?: number;
  readonly recovered?: readonly string[];
}

/** What the one that stops has come to, in the word it is started with. */
export const RUNNING = 0;
export const STOPPED = 1;
export const FINISHED = 2;

type Grant = ReturnType<ThreadsDomain['acquireSync']>;

const state = new Int32Array(workerData as SharedArrayBuffer);
const global = globalThis as { kdsStep?: (() => void) | undefined };
let domain: ThreadsDomain;
let grant: Grant | undefined;
let operate: () => unknown = () => {};

function prepare(arena: Arena, operation: Operation): void {
  if (operation === 'opens a domain') {
    operate = () => openThreadsDomain(arena);
    return;
  }
  domain = openThreadsDomain(arena, { label: 'stops' });
  const both = { exclusive: ['x', 'y'] };
  if (operation === 'takes what is free') {
    operate = () => domain.tryAcquireSync(both);
  } else if (operation === 'begins to wait') {
    operate = () => void domain.acquire(both, { label: 'begins' });
  } else if (operation === 'blocks until it is granted') {
    operate = () => domain.acquireSync({ exclusive: 'x' });
  } else if (operation === 'waits in its event loop until it is granted') {
    operate = () => domain.acquire({ exclusive: 'x' });
  } else if (operation === 'cancels') {
    const waiter = domain.enqueue(both, () => {});
    operate = () => waiter.cancel();
  } else {
    const held = domain.acquireSync(both);
    operate = () => (operation === 'lets go' ? held.release() : domain.close());
  }
}

/** Never returns. What this thread has done until now is all that it will ever have done. */
function stop(as: number): never {
  global.kdsStep = undefined;
  Atomics.store(state, 0, as);
  Atomics.notify(state, 0);
  for (;;);
}

async function stopAt(step: number): Promise<void> {
  let left = step;
  global.kdsStep = () => {
    if (left-- <= 0) stop(STOPPED);
  };
  await operate();
  stop(FINISHED);
}

function answer(order: Order): Answer {
  if (order.do === 'prepare') prepare(order.arena, order.operation);
  else if (order.do === 'open') domain = openThreadsDomain(order.arena, { label: 'goes on' });
  else if (order.do === 'operate') void stopAt(order.step);
  else if (order.do === 'release') grant?.release();
  else if (order.do === 'close') void domain.close();
  else if (order.do === 'hand over') {
    const isWaitedFor = (): boolean => domain.querySync().pending.length > 0;
    while (Atomics.load(order.to, 0) === RUNNING && !isWaitedFor());
    grant?.release();
  } else {
    grant = domain.acquireSync({ exclusive: order.exclusive });
    return { token: grant.token, recovered: grant.recovered };
  }
  return {};
}

parentPort?.on('message', (order: Order) => parentPort?.postMessage(answer(order)));
