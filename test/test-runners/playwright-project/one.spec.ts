/** One of two files whose tests use the same, run by workers of their own. */

import { expect } from '@playwright/test';
import { test } from '../../../src/test-runners/playwright.ts';
import { work } from '../journal.ts';

const file = 'one';

test.describe('each of them writes', () => {
  test.use({ holds: { writes: 'db', reads: ['config'] } });
  for (const name of ['a', 'b']) {
    test(`${file} ${name}`, async ({ grant }) => {
      expect(grant.token).toBeGreaterThan(0);
      await work(`${file} ${name}`, { writes: ['db'], reads: ['config'] });
    });
  }
});

const annotation = [
  { type: 'writes', description: 'config' },
  { type: 'reads', description: 'db' },
];
test(`${file} by annotation`, { annotation }, async () => {
  await work(`${file} by annotation`, { writes: ['config'], reads: ['db'] });
});
