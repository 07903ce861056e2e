/** Tests that take units of the same resources, each in any worker. */

import { expect } from '@playwright/test';
import { test } from '../../../src/test-runners/playwright.ts';
import { work } from '../journal.ts';

test.describe('by option', () => {
  test.use({ holds: { units: { gpu: 1, job: { take: 2, of: 3 } }, reads: 'config' } });
  for (const name of ['a', 'b', 'c']) {
    test(`units ${name}`, async ({ grant }) => {
      const { gpu = [], job = [] } = grant.units;
      expect(['gpu0', 'gpu1']).toContain(gpu[0]);
      expect(job).toHaveLength(2);
      await work(`units ${name}`, { writes: [...gpu, ...job].map(String), reads: ['config'] });
    });
  }
  const more = { type: 'units', description: '2 gpu' };
  test('units of both', { annotation: more }, async ({ grant }) => {
    expect(grant.units['gpu']).toEqual(['gpu0', 'gpu1']);
    const writes = [...(grant.units['gpu'] ?? []), ...(grant.units['job'] ?? [])].map(String);
    await work('units of both', { writes });
  });
});

for (const name of ['d', 'e', 'f']) {
  const annotation = [
    { type: 'units', description: '1 gpu' },
    { type: 'units', description: '1 of 3 job' },
  ];
  test(`units by annotation ${name}`, { annotation }, async ({ grant }) => {
    const { gpu = [], job = [] } = grant.units;
    expect([gpu.length, job.length]).toEqual([1, 1]);
    await work(`units by annotation ${name}`, { writes: [...gpu, ...job].map(String) });
  });
}
test('units wrong', { annotation: { type: 'units', description: 'gpu' } }, () => {});
