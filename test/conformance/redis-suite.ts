/** The suite of all backends on Redis, by a client library. */

import { testConformance } from 'kds/conformance';
import { openRedisDomain } from 'kds/redis';
import { afterAll, beforeAll, it } from 'vitest';
import { libraries, type Made } from '../redis/clients.ts';
import { ScriptedDomain } from '../redis/scripted.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../redis/server.ts';

/** Registers the suite, once for each library. */
export function testRedisConformance(names: readonly string[]): void {
  describeWithRedis('on a redis-server', () => {
    let server: RedisServer;
    let worldLast = 0;
    beforeAll(async () => {
      server = await startRedisServer();
    });
    afterAll(() => server?.stop());

    for (const [library, make] of Object.entries(libraries)) {
      if (!names.includes(library)) continue;
      testConformance(
        { describe: describeWithRedis, it },
        {
          name: `redis by ${library}`,
          capabilities: ['settled', 'downgrade', 'part-release', 'steal'],
          sync: false,
          connects: true,
          chainLength: 1000,
          randomRunCount: 20,
          open: async () => {
            const name = `world ${++worldLast} of ${library}`;
            const made: Made[] = [];
            const connect = async () => {
              const one = await make(server.port);
              made.push(one);
              return openRedisDomain(one.client, { name, leaseMs: 60_000 });
            };
            const domain = await connect();
            const close = async () => {
              await domain.close();
              for (const one of made) one.end();
              await checkEmpty(server.port, name);
            };
            return { domain, connect, close };
          },
        },
      );
    }
  });
}

/** Nothing is left but numbers, and marks of what was abandoned. */
async function checkEmpty(port: number, name: string): Promise<void> {
  const scripted = new ScriptedDomain(port, name);
  try {
    const left = await scripted.keys();
    const wrong = left.filter((key) => key !== 'seq' && key !== 'recovered');
    if (wrong.length > 0) throw new Error(`left in redis: ${wrong}`);
  } finally {
    await scripted.close();
  }
}
