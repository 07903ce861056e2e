/** The label of a domain: the arena has it with each set. */

import { createArena, openThreadsDomain } from 'kds/threads';
import { expect, it } from 'vitest';

it('is shown with each set, also with those that are granted at once', async () => {
  const domain = openThreadsDomain(createArena(), { label: 'worker' });
  for (const set of [{ exclusive: 'a' }, { exclusive: ['a', 'b'] }, { shared: 'b' }]) {
    for (let round = 0; round < 3; round++) {
      const grant = round === 1 ? await domain.acquire(set) : domain.tryAcquireSync(set);
      expect(domain.querySync().held.map(({ session }) => session)).toEqual(['worker']);
      grant?.release();
    }
  }
  await domain.close();
});
