import { testConformance } from 'kds/conformance';
import { createArena } from 'kds/threads';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { DomainPool } from '../threads/domain-pool.ts';
import { capabilities } from '../threads/remote-domain.ts';

describe('with requests from several workers', () => {
  let pool: DomainPool;

  beforeAll(async () => {
    pool = await DomainPool.start(3);
  });

  afterAll(() => pool.end());

  testConformance(
    { describe, it },
    {
      name: 'threads, from several workers',
      capabilities,
      sync: false,
      nested: false,
      connects: true,
      open: async () => {
        const arena = createArena();
        let count = 0;
        const connect = () => pool.open(arena, count++);
        const domain = await connect();
        return { domain, connect, close: () => domain.close() };
      },
    },
  );
});
