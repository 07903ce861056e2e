/** Lines of `kds ls` and `kds top` for resources with a capacity. */

import { createDomain } from 'kds';
import { expect, it } from 'vitest';
import { plainLineOf, poolLines, tableOf } from '../../src/cli/listing.ts';
import { snapshotJson } from '../../src/cli/snapshots.ts';
import { hostileNames, unsafe } from '../inspect/hostile-names.ts';

it('sets have their units, and each resource with a capacity its units with holders', async () => {
  const domain = createDomain({ capacity: { gpu: ['gpu0', 'gpu1', 'gpu2', 'gpu3'], ram: 64 } });
  domain.acquireSync({ units: { gpu: 2 }, exclusive: 'db' }, { label: 'A' });
  domain.acquireSync({ shared: 'gpu' }, { label: 'B' });
  domain.acquire({ units: { gpu: 2 } }, { label: 'C' }).catch(() => undefined);
  const snapshot = await domain.query();
  expect(tableOf(snapshot, 200).join('\n')).toContain('-x db -u gpu=2');
  const fields = [...snapshot.held, ...snapshot.pending].map((entry) =>
    plainLineOf(entry).split('\t'),
  );
  expect(fields.map(({ length, 5: set }) => [length, set])).toEqual([
    [9, '-x db -u gpu=2'],
    [9, '-u gpu=1'],
    [9, '-u gpu=2'],
  ]);
  expect(poolLines(snapshot, 200)).toEqual([
    'gpu: 3 of 4 units taken, 1 waiting: gpu0, gpu1 by A; gpu2 by B',
    'ram: 0 of 64 units taken, 0 waiting',
  ]);
  expect(poolLines(snapshot, 20)[0]).toHaveLength(20);
  const json = JSON.parse(snapshotJson(snapshot));
  expect(json.capacities[0]).toMatchObject({ resource: 'gpu', capacity: 4, taken: 3, waiting: 1 });
  expect(json.held[0].units).toEqual({ gpu: ['gpu0', 'gpu1'] });
  await domain.close();
});

it('names and units of any kind are safe on a terminal', async () => {
  const domain = createDomain();
  for (const name of hostileNames) {
    domain.setCapacity(name, [name, 'other']);
    domain.acquireSync({ units: new Map([[name, 2]]) }, { label: name.slice(0, 1024) });
  }
  const lines = poolLines(await domain.query(), 500);
  expect(lines).toHaveLength(hostileNames.length);
  for (const line of lines) expect(line).not.toMatch(unsafe);
  await domain.close();
});
