/** One small world, from its exploration to the replay of its vectors. */

import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { CoreEngine } from './core-engine.ts';
import { explore } from './explore.ts';
import { replay } from './replay.ts';
import type { NamedWorld } from './worlds.ts';

/** Where the vectors are written to, if they are wanted. */
const folder = process.env['KDS_VECTORS'];

/**
 * Returns the vectors; of a large world '' only. Git has their digest: `vitest -u` notes another,
 * and the diff shows it.
 */
export function walk(world: NamedWorld): string {
  const { stateCount, transitionCount, shortCount, outcomes, vectors } = explore(
    world,
    !world.isLarge,
  );
  console.info(`${world.name}: ${stateCount} states, ${transitionCount} transitions`);
  // A comparison that is never made proves nothing.
  expect(shortCount).toBeGreaterThan(0);
  const shown = [...outcomes.keys()];
  expect(shown).toEqual(expect.arrayContaining([...world.shows, 'remove: done']));
  if (world.isLarge) return '';
  if (folder !== undefined) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${world.name.replaceAll(/[^a-z]+/g, '-')}.txt`), vectors);
  }
  const digest = createHash('sha256').update(vectors).digest('hex').slice(0, 16);
  if (world.isWide !== true) expect({ stateCount, transitionCount, digest }).toMatchSnapshot();
  expect(replay(vectors, new CoreEngine(vectors))).toBe(transitionCount);
  return vectors;
}
