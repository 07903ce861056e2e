/**
 * The stress runs of hosts, traced: what the rule would have granted, replayed from the trace, is
 * what was granted. Nobody is killed whose events would be lost with it: of the threads host none,
 * of the broker's clients some, as the broker tells of them.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { openBrokerDomain } from 'kds/broker';
import { checkTrace } from 'kds/inspect/trace';
import { createArena } from 'kds/threads';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  bundleBroker,
  bundleProgram,
  heard,
  isRunning,
  removePrograms,
  until,
} from '../broker/programs.ts';
import { freshSocketPath, removePlaces } from '../broker/socket-paths.ts';

const seconds = Number(process.env['KDS_STRESS_SECONDS'] ?? 2);
const seed = Number(process.env['KDS_SEED'] ?? Date.now() % 2 ** 31);
const workerCount = 4;
const resourceCount = 5;
let folder = '';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kds-traced-'));
  await bundleBroker();
});
afterAll(() => {
  removePrograms();
  removePlaces();
  rmSync(folder, { recursive: true, force: true });
});

const limits = { timeout: (seconds + 1200) * 1000 };

it(
  'threads that request in every way obeyed the rule, by all of their events',
  limits,
  async () => {
    console.info(`traced stress of threads: KDS_SEED=${seed}`);
    const program = await bundleProgram(new URL('../threads/stress/worker.ts', import.meta.url));
    const path = join(folder, 'threads.json');
    const arena = createArena({ bytesMax: 2 ** 22 });
    const counters = new SharedArrayBuffer(4 * (2 * resourceCount + workerCount + 1));
    const inside = new Int32Array(counters);
    const sections = inside.subarray(2 * resourceCount, 2 * resourceCount + workerCount);
    const untilMs = performance.now() + seconds * 1000;
    const workers = Array.from({ length: workerCount }, (_, worker) => {
      const workerData = { arena, counters, worker, seed: seed + worker };
      return new Worker(program, { workerData, env: { ...process.env, KDS_TRACE: path } });
    });
    const ends = workers.map((worker) => once(worker, 'exit'));
    // However slow the machine is: until each has been inside a few times.
    await until(
      () => performance.now() > untilMs && Math.min(...sections) > 5,
      'all have progressed',
    );
    Atomics.store(inside, inside.length - 1, 1);
    await Promise.all(ends);
    const { domains, faults } = checkTrace(readFileSync(path, 'utf8'));
    expect(faults).toEqual([]);
    expect(domains).toMatchObject([{ backend: 'threads', olderCount: 0 }]);
    expect(domains[0]?.grantCount).toBeGreaterThan(10);
    console.info(`${domains[0]?.grantCount} grants`);
  },
);

it(
  'clients and broker obeyed it, by the events of the broker and of each client',
  limits,
  async () => {
    console.info(`traced stress of the broker: KDS_SEED=${seed}`);
    const program = await bundleProgram(new URL('../broker/stress-client.ts', import.meta.url));
    const socket = freshSocketPath();
    const path = join(folder, 'broker.json');
    const journal = join(folder, 'journal');
    writeFileSync(journal, '');
    process.env['KDS_TRACE'] = path;
    let startedCount = 0;
    const start = async (): Promise<ChildProcess> => {
      const name = String(++startedCount);
      const args = [socket, journal, String(seed + startedCount), name, '2000'];
      const child = fork(program, args, { execArgv: [], serialization: 'advanced' });
      // A message to one that has ended meanwhile cannot be written: its end is reported by `exit`.
      child.on('error', () => undefined);
      await heard(child);
      return child;
    };
    const observer = await openBrokerDomain({ socket, idleMs: 100 });
    const clients = await Promise.all(Array.from({ length: 4 }, start));
    delete process.env['KDS_TRACE'];
    try {
      const heldCount = () => readFileSync(journal, 'utf8').split('"begin"').length - 1;
      await until(() => heldCount() > 20 * seconds, 'clients have held something');
      clients.pop()?.kill('SIGKILL');
      await until(() => heldCount() > 40 * seconds, 'clients have held more');
      const ends = clients.map((client) => once(client, 'exit'));
      for (const client of clients) client.send('stop');
      await Promise.all(ends);
    } finally {
      for (const client of clients) client.kill('SIGKILL');
    }
    const { brokerPid } = observer;
    await observer.close();
    await until(() => !isRunning(brokerPid), 'the broker has ended');
    const { domains, faults } = checkTrace(readFileSync(path, 'utf8'));
    expect(faults).toEqual([]);
    const backends = domains.map(({ backend }) => backend).sort();
    expect(backends).toEqual(['broker', 'process']);
    for (const { grantCount } of domains) expect(grantCount).toBeGreaterThan(10);
  },
);
