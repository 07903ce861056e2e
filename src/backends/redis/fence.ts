/** Checking a token where the data is, by a function for scripts of the user's own. */

import { text } from './lua/fence.lua';

/**
 * A text in Lua, to put before a script of your own. Its function `kds_fence(key, token, mode)`
 * returns false if the grant of that token is known to be over; otherwise it stores the token in
 * `key`, and returns true. `mode` is 'exclusive' (default) or 'shared', as the grant holds the
 * resource. Readers call it too: a writer whose lease ran out is refused once a later reader has
 * called it. The key must not be evicted. The text is also the file `kds/redis/fence.lua`.
 *
 * @example
 * ```ts
 * import { Redis } from 'ioredis';
 * import { fenceScript, openRedisDomain } from 'kds/redis';
 *
 * const redis = new Redis(process.env['REDIS_URL'] ?? 'redis://127.0.0.1');
 * const domain = await openRedisDomain(redis, { name: 'shop' });
 * const write = `${fenceScript}
 *   if not kds_fence(KEYS[2], ARGV[1], 'exclusive') then
 *     return redis.error_reply('STALE token')
 *   end
 *   return redis.call('SET', KEYS[1], ARGV[2])`;
 * await domain.run({ exclusive: 'order 7' }, (grant) =>
 *   redis.eval(write, 2, 'order:7', 'order:7:fence', String(grant.token), 'paid'),
 * );
 * await domain.close();
 * await redis.quit();
 * ```
 * @since 0.1.0
 */
export const fenceScript: string = text;
