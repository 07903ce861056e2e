/**
 * A client under stress: asks for random sets, in every way, and writes into a journal that all
 * clients append to when it begins to hold a set, and when it is about to let go. It is killed at
 * any time. Told to stop, it asks for nothing more, and ends when it holds and awaits nothing.
 */

import { openSync, writeSync } from 'node:fs';
import { openBrokerDomain } from '../../src/hosts/broker/index.ts';
import type { Grant } from '../../src/index.ts';
import { randomFrom } from './random.ts';

const [socket, journalPath = '', seed, client, graceMs] = process.argv.slice(2);
const journal = openSync(journalPath, 'a');
const random = randomFrom(Number(seed));
const domain = await openBrokerDomain({ socket, graceMs: Number(graceMs), idleMs: 1000 });
let count = 0;
let isStopping = false;

function write(line: object): void {
  writeSync(journal, `${JSON.stringify({ client, ...line })}\n`);
}

function randomSet(): { exclusive: string[]; shared: string[] } {
  const exclusive: string[] = [];
  const shared: string[] = [];
  for (const name of ['a', 'b', 'c', 'd', 'e']) {
    const part = random();
    if (part < 0.2) exclusive.push(name);
    else if (part < 0.45) shared.push(name);
  }
  return { exclusive, shared };
}

async function hold(grant: Grant, set: object): Promise<void> {
  count++;
  const id = `${client}.${count}`;
  write({ do: 'begin', id, token: grant.token, set });
  grant.signal.addEventListener('abort', () => write({ do: 'lost', id }));
  for (let turns = random() * 4; turns > 1; turns--) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  write({ do: 'end', id });
  if (random() < 0.1) grant.abandon();
  else grant.release();
}

async function ask(): Promise<void> {
  const set = randomSet();
  const way = random();
  if (way < 0.2) {
    const grant = await domain.tryAcquire(set);
    if (grant !== null) await hold(grant, set);
  } else if (way < 0.4) {
    await new Promise<void>((resolve) => {
      const waiter = domain.enqueue(set, (grant) => void hold(grant, set).then(resolve));
      setTimeout(() => {
        if (waiter.cancel()) resolve();
      }, random() * 20);
    });
  } else {
    const limit = way < 0.6 ? { timeoutMs: random() * 10 } : {};
    await domain.acquire(set, limit).then(
      (grant) => hold(grant, set),
      (error) => {
        if (error.code !== 'KDS_WAIT_TIMEOUT') throw error;
      },
    );
  }
}

async function keepAsking(): Promise<void> {
  while (!isStopping) await ask();
}

process.once('message', () => {
  isStopping = true;
});
process.send?.('ready');
await Promise.all(Array.from({ length: 4 }, keepAsking));
await domain.close();
write({ do: 'done', count });
process.disconnect();
