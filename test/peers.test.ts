/** The optional packages: none of them, in whatever version, keeps kds from being installed. */

import { readFileSync } from 'node:fs';
import { openRedisDomain, type RedisClient } from 'kds/redis';
import { describe, expect, it } from 'vitest';

interface Manifest {
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional?: boolean }>>;
}

describe('a peer', () => {
  it('may be missing, and may be of any version: npm refuses no install', () => {
    const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
    const { peerDependencies, peerDependenciesMeta } = JSON.parse(text) as Manifest;
    for (const [name, range] of Object.entries(peerDependencies)) {
      expect(range, name).toBe('*');
      expect(peerDependenciesMeta[name]?.optional, name).toBe(true);
    }
  });

  const method = (): void => undefined;
  const tooOld: Readonly<Record<string, object>> = {
    // As of redis 2.8 and 3.1.
    'redis 3': {
      connected: true,
      ready: true,
      send_command: method,
      internal_send_command: method,
      sendCommand: method,
      duplicate: method,
      on: method,
    },
    // As of redis 4.0, before it had isReady.
    'redis 4.0': { isOpen: true, sendCommand: method, duplicate: method, on: method },
    'ioredis 1': { status: 'ready', options: {}, send_command: method, duplicate: method },
  };
  it.each(Object.keys(tooOld))('that is %s is refused, with the versions to use', async (name) => {
    const opening = openRedisDomain(tooOld[name] as RedisClient, { name: 'old' });
    await expect(opening).rejects.toMatchObject({
      code: 'KDS_UNSUPPORTED',
      message: expect.stringMatching(/npm install (redis@\^4\.6|ioredis@\^3) or later/),
    });
  });
});
