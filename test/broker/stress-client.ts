/**
 * A client under stress: asks for random sets, in every way, and writes into a journal that all
 * clients append to when it begins to hold a set, and when it is about to let go. It is killed at
 * any time. Told to stop, it asks for nothing more, and ends when it holds and awaits nothing.
 */

import { openSync, writeSync } from 'node:fs';
import { inspect } from 'node:util';
import { openBrokerDomain } from '../../src/hosts/broker/index.ts';
import type { Grant } from '../../src/index.ts';
import { traceIfAsked } from '../../src/inspect/trace.ts';
import { randomFrom } from './random.ts';

const [socket, journalPath = '', seed, client, graceMs] = process.argv.slice(2);
const journal = openSync(journalPath, 'a');
const random = randomFrom(Number(seed));
// Of all that happens, if KDS_TRACE names a file.
traceIfAsked();
const domain = await openBrokerDomain({ socket, graceMs: Number(graceMs), idleMs: 1000 });
let count = 0;
let isStopping = false;

function write(line: object): void {
  writeSync(journal, `${JSON.stringify({ client, ...line })}\n`);
}

function randomSet(names: readonly string[]): { exclusive: string[]; shared: string[] } {
  const exclusive: string[] = [];
  const shared: string[] = [];
  for (const name of names) {
    const part = random();
    if (part < 0.2) exclusive.push(name);
    else if (part < 0.45) shared.push(name);
  }
  return { exclusive, shared };
}

async function hold(grant: Grant, set: object, msMax = 4): Promise<void> {
  count++;
  const id = `${client}.${count}`;
  write({ do: 'begin', id, token: grant.token, set });
  grant.signal.addEventListener('abort', () => write({ do: 'lost', id }));
  const ms = random() * msMax;
  if (ms >= 1) await new Promise((resolve) => setTimeout(resolve, ms));
  write({ do: 'end', id });
  if (random() < 0.1) grant.abandon();
  else grant.release();
}

async function ask(): Promise<void> {
  const set = randomSet(['a', 'b', 'c', 'd', 'e']);
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

/** Holds for longer than it takes until a broker has come again, so that it has to be claimed. */
async function keepHolding(): Promise<void> {
  while (!isStopping) {
    const set = randomSet(['x', 'y', 'z']);
    await hold(await domain.acquire(set), set, 1500);
  }
}

process.once('message', () => {
  isStopping = true;
});
process.send?.('ready');
try {
  await Promise.all([keepHolding(), ...Array.from({ length: 4 }, keepAsking)]);
} catch (error) {
  write({ do: 'failed', error: inspect(error) });
  throw error;
}
await domain.close();
write({ do: 'done', count });
process.disconnect();
