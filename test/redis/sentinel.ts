/** A server, its replica, and a sentinel that watches them, each a process of the tests' own. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { expect } from 'vitest';
import { soon } from './opened.ts';
import { startRedisServer } from './server.ts';

export interface Watched {
  readonly sentinelPort: number;
  /** Has the replica take over from the server, and waits until it has. */
  failOver(): Promise<void>;
  stop(): Promise<void>;
}

export async function startWatched(): Promise<Watched> {
  const first = await startRedisServer('--repl-diskless-sync-delay', '0');
  const second = await startRedisServer('--replicaof', `127.0.0.1 ${first.port}`);
  const folder = mkdtempSync(join(tmpdir(), 'kds-sentinel-'));
  const sentinelPort = await freePort();
  const config = join(folder, 'sentinel.conf');
  writeFileSync(
    config,
    [
      `port ${sentinelPort}`,
      'bind 127.0.0.1',
      `dir ${folder}`,
      `sentinel monitor main 127.0.0.1 ${first.port} 1`,
      'sentinel down-after-milliseconds main 60000',
      'sentinel failover-timeout main 60000',
      '',
    ].join('\n'),
  );
  const child = spawn('redis-server', [config, '--sentinel'], { stdio: 'ignore' });
  const sentinel = new Redis({ port: sentinelPort, host: '127.0.0.1', retryStrategy: () => 50 });
  sentinel.on('error', () => undefined);
  const portOf = async (): Promise<number> => {
    const place = (await sentinel.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'main')) as string[];
    return Number(place[1]);
  };
  const isReady = async (): Promise<boolean> => {
    const text = JSON.stringify(await sentinel.call('SENTINEL', 'REPLICAS', 'main'));
    return text.includes(`${second.port}`) && text.includes('"master-link-status","ok"');
  };
  await expect.poll(isReady, { ...soon, interval: 100 }).toBe(true);
  return {
    sentinelPort,
    failOver: async () => {
      await sentinel.call('SENTINEL', 'FAILOVER', 'main');
      await expect.poll(portOf, soon).toBe(second.port);
    },
    stop: async () => {
      sentinel.disconnect();
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
      rmSync(folder, { recursive: true, force: true });
      await second.stop();
      await first.stop();
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
