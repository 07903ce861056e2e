/**
 * Agents that end without a word, in threads and processes of their own; what the locks that a
 * runtime has built in may not see.
 */

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { openBrokerDomain } from 'kds/broker';
import { createArena, openThreadsDomain } from 'kds/threads';
import { LockManager } from 'kds/web-locks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runBroker } from '../../src/backends/broker/server/run-broker.ts';
import { bundleProgram, heard, removePrograms, startClient } from '../broker/programs.ts';
import { freshSocketPath, removePlaces } from '../broker/socket-paths.ts';
import { failureOf, Holder, pending } from './holding.ts';
import type { Order } from './lock-agent.ts';

let program: string;

beforeAll(async () => {
  program = await bundleProgram(new URL('./lock-agent.ts', import.meta.url));
});

afterAll(() => {
  removePrograms();
  removePlaces();
});

/** Tells an agent to ask, and resolves when it has the lock. */
async function take(agent: Worker | ChildProcess, order: Order): Promise<void> {
  const [saying] = await told(agent, order);
  expect(saying).toEqual({ has: order.name });
}

function told(agent: Worker | ChildProcess, order: Order): Promise<unknown[]> {
  const said = once(agent, 'message');
  if (agent instanceof Worker) agent.postMessage(order);
  else agent.send(order);
  return said;
}

describe('in worker threads', () => {
  async function world() {
    const arena = createArena({ bytesMax: 2 ** 22 });
    const domain = openThreadsDomain(arena);
    const hire = async (): Promise<Worker> => {
      const worker = new Worker(program, { workerData: arena });
      domain.attachWorker(worker);
      expect((await once(worker, 'message'))[0]).toBe('ready');
      return worker;
    };
    return { domain, locks: new LockManager(domain, { clientId: 'main' }), hire };
  }

  it('query() lists the locks and requests of other threads', async () => {
    const { domain, locks, hire } = await world();
    const workers = [await hire(), await hire()] as const;
    await take(workers[0], { name: 'a', options: { mode: 'shared' } });
    await take(workers[1], { name: 'a', options: { mode: 'shared' } });
    workers[1].postMessage({ name: 'a' });
    await pending(locks, 'a', 1);
    const { held, pending: waiting } = await locks.query();
    expect(held.map(({ name, mode }) => [name, mode])).toEqual([
      ['a', 'shared'],
      ['a', 'shared'],
    ]);
    expect(held[0]?.clientId).not.toBe(held[1]?.clientId);
    expect(waiting).toEqual([{ name: 'a', mode: 'exclusive', clientId: held[1]?.clientId }]);
    for (const worker of workers) await worker.terminate();
    await domain.close();
  });

  it('a waiter is woken when the worker that held the lock is terminated', async () => {
    const { domain, locks, hire } = await world();
    const worker = await hire();
    await take(worker, { name: 'a' });
    const waiting = locks.request('a', (lock) => lock?.name);
    await pending(locks, 'a', 1);
    await worker.terminate();
    expect(await waiting).toBe('a');
    expect(await locks.query()).toEqual({ held: [], pending: [] });
    await domain.close();
  });

  it('and so is one in another worker; and who waits behind one that is terminated', async () => {
    const { domain, locks, hire } = await world();
    const [holder, dying, next] = [await hire(), await hire(), await hire()];
    await take(holder, { name: 'a', options: { mode: 'shared' } });
    dying.postMessage({ name: 'a' });
    await pending(locks, 'a', 1);
    const reading = take(next, { name: 'a', options: { mode: 'shared' } });
    await pending(locks, 'a', 2);
    await dying.terminate();
    await reading;
    const writing = locks.request('a', (lock) => lock?.mode);
    await Promise.all([holder.terminate(), next.terminate()]);
    expect(await writing).toBe('exclusive');
    await domain.close();
  });

  it('a lock can be stolen from another thread', async () => {
    const { domain, locks, hire } = await world();
    const worker = await hire();
    const holder = await Holder.take(locks, 'a');
    await take(worker, { name: 'a', options: { steal: true } });
    expect(await failureOf(holder.done)).toMatchObject({ name: 'AbortError' });
    expect(await locks.request('a', { steal: true }, (lock) => lock?.name)).toBe('a');
    await worker.terminate();
    await domain.close();
  });
});

describe('in processes', () => {
  it('a waiter is woken when the process that held the lock is killed', async () => {
    const socket = freshSocketPath();
    const broker = await runBroker({ socketPath: socket });
    const domain = await openBrokerDomain({ socket, start: false });
    const locks = new LockManager(domain);
    const children = [startClient(program, socket), startClient(program, socket)] as const;
    for (const child of children) expect(await heard(child)).toBe('ready');
    const [holder, waiter] = children;
    await take(holder, { name: 'a' });
    const taking = take(waiter, { name: 'a' });
    await pending(locks, 'a', 1);
    const mine = locks.request('a', (lock) => lock?.name);
    await pending(locks, 'a', 2);
    holder.kill('SIGKILL');
    await taking;
    waiter.kill('SIGKILL');
    expect(await mine).toBe('a');
    await domain.close();
    await broker?.close();
  });
});
