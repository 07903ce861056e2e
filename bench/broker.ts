/** The rows of the broker: real processes, on sockets in a directory of their own. */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Grant } from 'kds';
import { type BrokerDomain, openBrokerDomain } from 'kds/broker';
import { keepAlive, type Loop, loopSubject, type Subject } from './sampling.ts';

const warmUpCount = 30_000;
const folder = mkdtempSync(join(tmpdir(), 'kds-bench-'));
let socketLast = 0;

function freshSocket(): string {
  socketLast++;
  return join(folder, `${socketLast}.sock`);
}

/** Acquire and release what is free, and what two round trips cost by themselves. */
export async function freeAtBroker(): Promise<Subject[]> {
  const socket = freshSocket();
  const domain = await openBrokerDomain({ socket });
  keepAlive(await domain.acquire({ exclusive: ['kept a', 'kept b'] }));
  const echo = await echoes(freshSocket());
  const frame = '{"do":"acquire","id":12345,"parts":[["a","all"],["b","all"]]}\n';
  const loops: Record<string, Loop> = {
    'kds, broker': async (count) => {
      for (let index = 0; index < count; index++) {
        const grant = await domain.acquire({ exclusive: ['a', 'b'] });
        void grant.release();
      }
    },
    'two bare echoes': async (count) => {
      for (let index = 0; index < count; index++) {
        await echo(frame);
        await echo(frame);
      }
    },
  };
  // A broker serves for long: what is measured is one whose code has been compiled by then.
  for (const loop of Object.values(loops)) await loop(warmUpCount);
  const subjects: Subject[] = [];
  for (const [name, loop] of Object.entries(loops)) subjects.push(await loopSubject(name, loop));
  return subjects;
}

/** From one client to the next, where few wait, and where 10,000 do in 1,000 connections. */
export async function handOverAtBroker(): Promise<Subject[]> {
  return [
    { name: '10 waiters, 10 connections', sample: await handingOver(10, 1) },
    { name: '10,000 waiters, 1,000 connections', sample: await handingOver(1000, 10) },
  ];
}

/** All wait for one name; who has had it gives it on, and waits again. */
async function handingOver(clientCount: number, each: number): Promise<() => Promise<number>> {
  const socket = freshSocket();
  const domains: BrokerDomain[] = [];
  for (let index = 0; index < clientCount; index++)
    domains.push(await openBrokerDomain({ socket }));
  const stepCount = 500;
  let leftCount = 0;
  let kept: Grant | undefined = await (domains[0] as BrokerDomain).acquire({ exclusive: 'a' });
  let end: () => void = () => undefined;
  const wait = (domain: BrokerDomain): void => {
    const onGrant = (grant: Grant): void => {
      wait(domain);
      leftCount--;
      if (leftCount > 0) {
        void grant.release();
      } else {
        kept = grant;
        end();
      }
    };
    domain.enqueue({ exclusive: 'a' }, onGrant, { delivery: 'direct' });
  };
  for (let round = 0; round < each; round++) domains.forEach(wait);
  await Promise.all(domains.map((domain) => domain.query()));
  return async () => {
    leftCount = stepCount;
    const startMs = performance.now();
    await new Promise<void>((resolve) => {
      end = resolve;
      void kept?.release();
    });
    return ((performance.now() - startMs) / stepCount) * 1e6;
  };
}

async function echoes(path: string): Promise<(text: string) => Promise<void>> {
  const child = fork(fileURLToPath(new URL('./echo-server.js', import.meta.url)), [path]);
  await once(child, 'message');
  const socket = connect(path);
  let heard: () => void = () => undefined;
  socket.on('data', () => heard());
  return (text) => {
    return new Promise((resolve) => {
      heard = resolve;
      socket.write(text);
    });
  };
}
