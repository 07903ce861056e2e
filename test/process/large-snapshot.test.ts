/** A snapshot of many who wait: the domain is not stopped for it, and it is of one moment. */

import { createDomain } from 'kds';
import { expect, it } from 'vitest';

const waiterCount = 100_000;

it('a snapshot of 100,000 waiters lets others work, and tells of one moment', async () => {
  const domain = createDomain();
  const first = domain.acquireSync({ exclusive: ['a', 'b'] }, { label: 'first' });
  for (let count = 0; count < waiterCount; count++) {
    const set = count % 2 === 0 ? { exclusive: 'a' } : { shared: ['a', 'b'] };
    domain.enqueue(set, (grant) => grant.release(), { label: `waiter ${count}` });
  }
  let turnCount = 0;
  let isAsking = true;
  const look = (): void => {
    turnCount++;
    if (isAsking) setImmediate(look);
  };
  const startMs = performance.now();
  const asked = domain.query();
  const stoppedMs = performance.now() - startMs;
  setImmediate(look);
  // All of them are through before it is answered, and nothing of that is in it.
  first.release();
  const { held, pending } = await asked;
  isAsking = false;
  console.info(
    `it stopped the domain for ${stoppedMs.toFixed(0)} ms; ${turnCount} turns meanwhile`,
  );
  expect(turnCount).toBeGreaterThan(5);
  expect(held.map(({ label }) => label)).toEqual(['first']);
  expect(pending).toHaveLength(waiterCount);
  const [firstId] = held.map(({ id }) => id);
  expect(pending[0]).toMatchObject({ label: 'waiter 0', waitingFor: [firstId] });
  expect(pending[1]).toMatchObject({ label: 'waiter 1', waitingFor: [firstId, pending[0]?.id] });
  expect(pending[2]).toMatchObject({ label: 'waiter 2', waitingFor: [pending[1]?.id] });
  const ids = pending.map(({ id }) => id);
  expect(ids).toEqual(ids.toSorted((a, b) => a - b));
  expect(await domain.query()).toEqual({ held: [], pending: [] });
});
