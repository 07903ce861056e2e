/** Tests that take units, of files that are run by workers of their own. */

import { holdForEach, holding } from 'kds/vitest';
import { describe, expect, it } from 'vitest';
import { work } from '../journal.ts';

const units = { gpu: 1, job: { take: 2, of: 3 } };

/** Each unit is written, so that two tests with the same one are noticed. */
export function unitsTests(file: string): void {
  describe.concurrent('at once in one file', () => {
    const held = holdForEach({ units, reads: 'config' });
    for (const name of ['a', 'b', 'c']) {
      it(`${file} ${name}`, async (context) => {
        const { gpu = [], job = [] } = held.of(context).units;
        expect(['gpu0', 'gpu1']).toContain(gpu[0]);
        expect(job).toHaveLength(2);
        await work(`${file} ${name}`, { writes: [...gpu, ...job].map(String), reads: ['config'] });
      });
    }
  });

  it(
    `${file} both`,
    holding({ units: new Map([['gpu', 2]]) }, async ({ grant, task }) => {
      expect(grant.units).toEqual({ gpu: ['gpu0', 'gpu1'] });
      await work(task.name, { writes: ['gpu0', 'gpu1'] });
    }),
  );

  describe('around another one of the same resource', () => {
    holdForEach({ units: { gpu: 1 } });
    for (const set of [{ units: { gpu: 1 } }, { writes: 'gpu' }, { reads: 'gpu' }]) {
      it(
        `${file} would wait for itself: ${Object.keys(set)}`,
        holding(set, async () => {}),
      );
    }
  });
}
