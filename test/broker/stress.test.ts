/**
 * Processes that ask for random sets, while holders, waiters and the broker are killed at random.
 * `KDS_STRESS_SECONDS` says for how long, and `KDS_SEED` with which random numbers.
 */

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { openBrokerDomain } from 'kds/broker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkJournal, type Line } from '../stress/journal.ts';
import { randomFrom } from '../stress/random.ts';
import { bundleBroker, bundleProgram, heard, removePrograms, startClient } from './programs.ts';
import { freshSocketPath, removePlaces } from './socket-paths.ts';

const seconds = Number(process.env['KDS_STRESS_SECONDS'] ?? 8);
const seed = Number(process.env['KDS_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const clientCount = 6;
/** On a busy machine a client may be long in coming back. */
/** Long enough for clients on a slow machine to come back in. */
const graceMs = 10_000;
const grantCountMin = 200;

let program = '';

beforeAll(async () => {
  await bundleBroker();
  program = await bundleProgram(new URL('./stress-client.ts', import.meta.url));
});

afterAll(() => {
  removePrograms();
  removePlaces();
});

describe('under load, while clients and brokers are killed', () => {
  it('no two that conflict hold at once, and none is left behind', {
    timeout: (seconds + 1200) * 1000,
  }, async () => {
    console.log(`stress of the broker: KDS_SEED=${seed}`);
    const random = randomFrom(seed);
    const socket = freshSocketPath();
    const journal = `${socket}.journal`;
    writeFileSync(journal, '');
    const observer = await openBrokerDomain({ socket, graceMs, idleMs: 1000 });
    let startedCount = 0;
    const start = async (): Promise<ChildProcess & { readonly name: string }> => {
      const name = String(++startedCount);
      const args = [socket, journal, String(seed + startedCount), name, String(graceMs)];
      const child = startClient(program, ...args);
      await heard(child);
      return Object.assign(child, { name });
    };
    const clients = await Promise.all(Array.from({ length: clientCount }, start));
    const endMs = performance.now() + seconds * 1000;
    let brokerKills = 0;
    /** However slow the machine is: until enough has happened to be judged. */
    const isEnough = () =>
      brokerKills > 0 && readFileSync(journal, 'utf8').split('"begin"').length > grantCountMin;
    while (performance.now() < endMs || !isEnough()) {
      await new Promise((resolve) => setTimeout(resolve, 100 + random() * 500));
      if (random() < 0.2 || (brokerKills === 0 && performance.now() > endMs - seconds * 500)) {
        brokerKills++;
        process.kill(observer.brokerPid, 'SIGKILL');
        await observer.query();
        continue;
      }
      const at = Math.floor(random() * clients.length);
      const { name } = clients[at] as { readonly name: string };
      appendFileSync(journal, `${JSON.stringify({ client: name, do: 'kill' })}\n`);
      clients[at]?.kill('SIGKILL');
      clients[at] = await start();
    }
    const failures = readFileSync(journal, 'utf8').match(/.*"failed".*/g);
    expect(failures, 'clients that ended by themselves').toBe(null);
    const ends = clients.map((client) => once(client, 'exit'));
    for (const client of clients) client.send('stop');
    expect(await Promise.all(ends)).toEqual(clients.map(() => [0, null]));
    expect(await observer.query()).toEqual({ held: [], pending: [] });
    await observer.close();
    const text = readFileSync(journal, 'utf8').trimEnd();
    const { faults, grantCount, lostCount } = checkJournal(
      text.split('\n').map((line) => JSON.parse(line) as Line),
    );
    console.log(`${grantCount} grants, ${startedCount} clients, ${brokerKills} brokers killed`);
    expect(faults).toEqual([]);
    expect(lostCount, 'grants lost').toBe(0);
    expect(grantCount).toBeGreaterThan(grantCountMin / 2);
    expect(brokerKills).toBeGreaterThan(0);
  });
});
