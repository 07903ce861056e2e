/**
 * Every run of every world that is small enough: core and oracle, step by step; then the vectors of
 * that run, which must be the known ones, in a core of its own.
 *
 * A world that the scripts of Redis can play is in worlds-in-redis-of-*.test.ts, and not here. With
 * KDS_MODEL=large those of the second list are walked too, which takes some ten minutes and three
 * gigabytes (NODE_OPTIONS=--max-old-space-size=6000).
 */

import { describe, it } from 'vitest';
import { walk } from './walk.ts';
import { isPlayedByRedis, worldsToWalk } from './worlds.ts';

describe('core keeps the rule in every run of', () => {
  for (const world of worldsToWalk.filter((each) => !isPlayedByRedis(each))) {
    it(world.name, { timeout: 3_600_000 }, () => {
      walk(world);
    });
  }
});
