/** Clients of each library, connected to a server of the tests. */

import { Redis } from 'ioredis';
import { Redis as Valkey } from 'iovalkey';
import type { RedisClient } from 'kds/redis';
import { createClient } from 'redis';

/** A client, and its end, as if its process had died: nothing is said to the server. */
export interface Made {
  readonly client: RedisClient;
  end(): void;
}

export const libraries: Readonly<Record<string, (port: number) => Promise<Made>>> = {
  ioredis: async (port) => {
    const client = new Redis({ port, host: '127.0.0.1' });
    return { client, end: () => client.disconnect() };
  },
  iovalkey: async (port) => {
    const client = new Valkey({ port, host: '127.0.0.1' });
    return { client, end: () => client.disconnect() };
  },
  'node-redis': async (port) => {
    const client = createClient({ socket: { port, host: '127.0.0.1' } });
    client.on('error', () => undefined);
    await client.connect();
    return { client, end: () => client.destroy() };
  },
};
