/** Each export of the package has a complete doc comment: see `npm run docs:api -- --all`. */

import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

interface Gap {
  readonly name: string;
  readonly part: string;
  readonly place: string;
}

const source = '../../site/check-api.mjs';
const { gapsBySubpath } = (await import(source)) as {
  gapsBySubpath(root: string): Promise<Map<string, Gap[]>>;
};
const gaps = await gapsBySubpath(fileURLToPath(new URL('../..', import.meta.url)));

it.each([...gaps])('%s has a complete doc comment on each export', (_, list) => {
  expect(list.map(({ name, part, place }) => `${place} ${name}: ${part}`)).toEqual([]);
});
