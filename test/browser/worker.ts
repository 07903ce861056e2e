/** A worker of a page: opens a domain in an arena, and does as it is told. */

import { openThreadsDomain, type ThreadsDomain } from '../../src/backends/threads/index.ts';
import type { KdsError, SetSpec, SyncGrant } from '../../src/index.ts';
import { Sections } from './sections.ts';
import type { Answer, EarlyWay, Order, Way } from './worker-messages.ts';

let domain: ThreadsDomain;
let sections: Sections;
let held: SyncGrant[] = [];

self.onmessage = async ({ data }: MessageEvent<Order>) => {
  try {
    answer(await obey(data));
  } catch (error) {
    const { code, name } = error as KdsError;
    answer({ refused: code ?? `${name}: ${(error as Error).message}` });
  }
};

function answer(message: Answer): void {
  postMessage(message);
}

async function obey(order: Order): Promise<Answer> {
  switch (order.do) {
    case 'open':
      domain = openThreadsDomain(order.arena, { label: order.label });
      sections = new Sections(order.memory, order.party);
      // Before that it may not block.
      await domain.ready;
      return { agent: domain.agent };
    case 'take': {
      const grant = await take(order.set, order.how);
      if (grant === null) return { granted: false };
      held.push(grant);
      return { granted: true, recovered: grant.recovered };
    }
    case 'release':
      for (const grant of held) grant.release();
      held = [];
      return {};
    case 'close':
      await domain.close();
      return {};
    case 'open and take for ever': {
      domain = openThreadsDomain(order.arena);
      await domain.ready;
      const grant = domain.acquireSync(order.set);
      answer({ granted: true, recovered: grant.recovered });
      if (order.thenBlockFor !== undefined) domain.acquireSync(order.thenBlockFor);
      return sleepForEver();
    }
    case 'open and take': {
      domain = openThreadsDomain(order.arena, { capacity: order.capacity });
      const granted = takeEarly(order.set, order.how);
      answer({ agent: domain.agent });
      const grant = await granted;
      if (grant !== null) held.push(grant);
      return { granted: grant !== null, ...(grant !== null && { units: grant.units }) };
    }
    case 'contend':
      await contend(order.durationMs);
      return { violations: sections.violations };
    case 'count steps':
      return { stepCount: stepsOf(() => domain.acquireSync(order.set).release()) };
    case 'stop at step':
      stopAt(order.step);
      domain.acquireSync(order.set).release();
      return {};
  }
}

async function take(set: SetSpec, how: Way): Promise<SyncGrant | null> {
  if (how === 'block') return domain.acquireSync(set);
  if (how === 'await') return (await domain.acquire(set)) as SyncGrant;
  return domain.tryAcquireSync(set);
}

async function takeEarly(set: SetSpec, how: EarlyWay): Promise<SyncGrant | null> {
  switch (how) {
    case 'await':
      return (await domain.acquire(set)) as SyncGrant;
    case 'await a try':
      return (await domain.tryAcquire(set)) as SyncGrant;
    case 'await both': {
      // The first one is granted first, although it comes by another way.
      const order: string[] = [];
      const first = new Promise<SyncGrant>((granted) => {
        domain.enqueue(set, (grant) => {
          order.push('first');
          granted(grant);
        });
      });
      const second = domain.acquire(set).then((grant) => {
        order.push('second');
        return grant as SyncGrant;
      });
      const cancelled = domain.enqueue(set, () => void order.push('cancelled'));
      if (!cancelled.cancel() || cancelled.cancel()) return null;
      (await first).release();
      const grant = await second;
      return order.join() === 'first,second' ? grant : null;
    }
    case 'enqueue':
      return new Promise((granted, onRefused) => {
        domain.enqueue(set, granted, { onRefused });
      });
    case 'block':
      return domain.acquireSync(set);
    case 'try':
      return domain.tryAcquireSync(set);
  }
}

async function contend(durationMs: number): Promise<void> {
  const untilMs = performance.now() + durationMs;
  const ways: readonly Way[] = ['block', 'await', 'try'];
  // However slow the machine is: until it has been in some sections.
  while (performance.now() < untilMs || sections.count <= 20) {
    for (let turn = 0; turn < 20; turn++) {
      const wanted = Sections.choose();
      const grant = await take(wanted, ways[turn % ways.length] as Way);
      if (grant !== null) sections.visit(grant, wanted);
    }
    await new Promise((resolve) => setTimeout(resolve));
  }
}

const stepped = globalThis as { kdsStep?: () => void };

function stepsOf(body: () => void): number {
  let count = 0;
  stepped.kdsStep = () => {
    count++;
  };
  body();
  stepped.kdsStep = () => {};
  return count;
}

function stopAt(step: number): void {
  let left = step;
  stepped.kdsStep = () => {
    if (left-- > 0) return;
    answer({ stopped: true });
    sleepForEver();
  };
}

function sleepForEver(): never {
  const word = new Int32Array(new SharedArrayBuffer(4));
  for (;;) Atomics.wait(word, 0, 0);
}
