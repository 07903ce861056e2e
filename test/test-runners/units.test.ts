/** Units in the sets of tests: what is refused where the set is declared. */

import { holdForAll, holdForEach, holding } from 'kds/vitest';
import { expect, it } from 'vitest';

it.each<[unknown, string]>([
  [{ units: 5 }, 'InvalidSetError'],
  [{ units: ['gpu'] }, 'InvalidSetError'],
  [{ units: undefined }, 'InvalidSetError'],
  [{ units: { '': 1 } }, 'InvalidSetError'],
  [{ unit: { gpu: 1 } }, 'InvalidSetError'],
  [{ units: { gpu: 0 } }, 'RangeError'],
  [{ units: { gpu: '1' } }, 'TypeError'],
  [{ reads: 'db', units: { gpu: { take: 1, of: 0 } } }, 'RangeError'],
])('a test with %j is refused', (set, name) => {
  for (const declare of [holdForEach, holdForAll, holding]) {
    const call = declare as (set: unknown, then: unknown) => unknown;
    expect(() => call(set, () => {})).toThrow(expect.objectContaining({ name }));
  }
});
