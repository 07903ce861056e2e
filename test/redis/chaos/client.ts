/**
 * A client of a chaos run, in a process of its own: it comes by the bad network, and reads and
 * writes the fenced store under its grants without a check that it still has them. Its clock is
 * shifted by a message from the test.
 */

import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { RedisBackend } from '../../../src/backends/redis/backend.ts';
import type { RedisConnection } from '../../../src/backends/redis/connection.ts';
import { connectIoredis } from '../../../src/backends/redis/ioredis.ts';
import { connectNodeRedis } from '../../../src/backends/redis/node-redis.ts';
import type { Domain } from '../../../src/index.ts';
import { RemoteBackend } from '../../../src/remote/backend.ts';
import { RemoteSession } from '../../../src/remote/session.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { StressClient } from '../../stress/client.ts';
import { FencedStore } from './fenced-store.ts';

export interface ClientOrders {
  readonly port: number;
  readonly storeSocketPath: string;
  readonly journalPath: string;
  readonly domainName: string;
  readonly seed: number;
  readonly client: string;
  readonly library: 'ioredis' | 'node-redis';
  readonly leaseMs: number;
}

/** For so long a client tries to come in. */
const openMsMax = 600_000;
const reconnectMs = 50;
const requesterCount = 4;

const orders = JSON.parse(process.argv[2] ?? '') as ClientOrders;
let shiftMs = 0;
const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + shiftMs };
process.on('message', (message) => {
  if (typeof message === 'number') shiftMs += message;
});

async function connect(): Promise<RedisConnection> {
  const place = { host: '127.0.0.1', port: orders.port };
  if (orders.library === 'ioredis') {
    const redis = new Redis({
      ...place,
      retryStrategy: () => reconnectMs,
      maxRetriesPerRequest: null,
    });
    redis.on('error', () => undefined);
    return connectIoredis(redis);
  }
  const redis = createClient({ socket: { ...place, reconnectStrategy: () => reconnectMs } });
  redis.on('error', () => undefined);
  await redis.connect();
  return connectNodeRedis(redis);
}

/** As `openRedisDomain` does it, but for the clock, and again and again while faults go on. */
async function open(connection: RedisConnection): Promise<Domain> {
  const endMs = performance.now() + openMsMax;
  for (;;) {
    const { domainName: name, leaseMs, client: label } = orders;
    const about = JSON.stringify({ label, pid: process.pid });
    const client = randomBytes(16).toString('hex');
    const backend = new RedisBackend({ connection, clock, name, label, client, leaseMs, about });
    try {
      await backend.open();
      return new RemoteSession(new RemoteBackend(backend), label);
    } catch (error) {
      if (performance.now() > endMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, reconnectMs));
    }
  }
}

const domain = await open(await connect());
const store = new FencedStore(new Redis({ path: orders.storeSocketPath }));
await new StressClient({
  domain,
  journalPath: orders.journalPath,
  seed: orders.seed,
  client: orders.client,
  inSection: (grant, set) => store.access(grant.token, set),
  mayEndWith: ['KDS_UNAVAILABLE'],
}).run(requesterCount);
process.exit();
