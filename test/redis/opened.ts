/** What tests of a domain need around it: a server of their own, clients, and the end of both. */

import { type RedisOptions as IoredisOptions, Redis } from 'ioredis';
import { openRedisDomain, type RedisClient, type RedisDomain, type RedisOptions } from 'kds/redis';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { rootOf } from '../../src/backends/redis/names.ts';
import { type RedisServer, startRedisServer } from './server.ts';

/** Long enough for a busy machine not to lose it, unless a test stops the heartbeats. */
export const calmLeaseMs = 60_000;
export const soon = { timeout: 60_000, interval: 10 };

export class Opened {
  /** Of the domain; another one in each test. */
  name = '';
  server!: RedisServer;
  /** A client with all rights. */
  admin!: Redis;
  readonly #ends: (() => unknown)[] = [];

  get root(): string {
    return rootOf(this.name);
  }

  /** Ends at the end of the test, the latest first. */
  atEnd(end: () => unknown): void {
    this.#ends.push(end);
  }

  client(options: Omit<IoredisOptions, 'replyMapping'> = {}): Redis {
    const client = new Redis({ port: this.server.port, host: '127.0.0.1', ...options });
    client.on('error', () => undefined);
    this.atEnd(() => client.disconnect());
    return client;
  }

  async open(
    client: RedisClient = this.client(),
    options: Partial<RedisOptions> = {},
  ): Promise<RedisDomain> {
    const { name } = this;
    const domain = await openRedisDomain(client, { name, leaseMs: calmLeaseMs, ...options });
    this.atEnd(() => domain.close());
    return domain;
  }

  async end(): Promise<void> {
    for (const end of this.#ends.splice(0).reverse()) await end();
  }
}

/** To be called where tests are declared. */
export function withRedisServer(...settings: readonly string[]): Opened {
  const opened = new Opened();
  let nameLast = 0;
  beforeAll(async () => {
    opened.server = await startRedisServer(...settings);
    opened.admin = new Redis({ port: opened.server.port, host: '127.0.0.1' });
  });
  afterAll(async () => {
    opened.admin?.disconnect();
    await opened.server?.stop();
  });
  beforeEach(() => {
    opened.name = `domain ${++nameLast}`;
  });
  afterEach(() => opened.end());
  return opened;
}

export function aborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason);
    signal.addEventListener('abort', () => resolve(signal.reason));
  });
}
