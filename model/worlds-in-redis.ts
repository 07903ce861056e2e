/**
 * Every run of every small world without units and without synchronous callers: core and oracle,
 * step by step; then the vectors of that run in a core of its own, and in the scripts of Redis.
 *
 * A world takes up to a minute, so the tests of worlds-in-redis-of-*.test.ts share them, which run
 * at the same time.
 */

import { beforeAll, describe, it } from 'vitest';
import { LuaMachine } from '../sim/redis/lua.ts';
import { RedisEngine } from './redis-engine.ts';
import { replay } from './replay.ts';
import { walk } from './walk.ts';
import { isPlayedByRedis, type NamedWorld, sessionCountOf, worldsToWalk } from './worlds.ts';

/** Of the worlds that the scripts can play. */
export function walkInRedis(isWalked: (world: NamedWorld) => boolean): void {
  let lua: LuaMachine;
  beforeAll(async () => {
    lua = await LuaMachine.create();
  });

  describe('core and the scripts of Redis keep the rule in every run of', () => {
    for (const world of worldsToWalk.filter(isPlayedByRedis).filter(isWalked)) {
      it(world.name, { timeout: 3_600_000 }, () => {
        const vectors = walk(world);
        const engine = new RedisEngine(lua, { sessionCount: sessionCountOf(world) });
        console.info(`redis: ${replay(vectors, engine)} calls`);
      });
    }
  });
}
