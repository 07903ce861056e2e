/** Checking a token where the data is, by a function for scripts of the user's own. */

import { text } from './lua/fence.lua';

/**
 * Lua, to be put before a script of your own: `kds_fence(key, token, mode)`, with the mode in which
 * the grant holds it, is false if by what `key` has seen the grant must be over; else it remembers
 * the token, and is true. Writers are to call it, and readers, as 'shared', too: a writer whose
 * lease ran out is to be refused once a later holder has called it. The text is also the file
 * `kds/redis/fence.lua`.
 *
 * @example
 * ```ts no-run
 * import { Redis } from 'ioredis';
 * import { fenceScript, openRedisDomain } from 'kds/redis';
 *
 * const redis = new Redis();
 * const domain = await openRedisDomain(redis, { name: 'shop' });
 * const write = `${fenceScript}
 *   if not kds_fence(KEYS[2], ARGV[1], 'exclusive') then
 *     return redis.error_reply('STALE token')
 *   end
 *   return redis.call('SET', KEYS[1], ARGV[2])`;
 * await domain.run({ exclusive: 'order 7' }, (grant) =>
 *   redis.eval(write, 2, 'order:7', 'order:7:fence', String(grant.token), 'paid'),
 * );
 * ```
 */
export const fenceScript: string = text;
