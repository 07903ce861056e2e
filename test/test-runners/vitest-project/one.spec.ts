/** One of two files whose tests use the same, run by workers of their own. */

import { holdForAll, holdForEach, holding } from 'kds/vitest';
import { describe, expect, it } from 'vitest';
import { work } from '../journal.ts';

const file = 'one';

describe('each of them writes', () => {
  const held = holdForEach({ writes: 'db', reads: 'config' });
  for (const name of ['a', 'b']) {
    it(`${file} ${name}`, async () => {
      expect(held.grant.token).toBeGreaterThan(0);
      await work(`${file} ${name}`, { writes: ['db'], reads: ['config'] });
    });
  }
});

describe('all of them read', () => {
  const held = holdForAll({ reads: ['db', 'config'] });
  it(`${file} reads`, async () => {
    expect(held.grant.recovered).toEqual([]);
    await work(`${file} reads`, { reads: ['db', 'config'] });
  });
});

it(
  `${file} alone`,
  holding({ writes: ['config', 'db'] }, async ({ grant, task }) => {
    expect(grant.token).toBeGreaterThan(0);
    await work(task.name, { writes: ['config', 'db'] });
  }),
);
