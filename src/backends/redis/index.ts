/**
 * kds/redis: one domain for all clients of a Redis or Valkey server (docs/redis.md).
 *
 * The state lies in keys of one hash tag and is changed by scripts; a channel notifies the waiters.
 */

export {
  openRedisDomain,
  type RedisClient,
  type RedisDomain,
  type RedisOptions,
} from './domain.ts';
export { fenceScript } from './fence.ts';
export type { RedisClientInfo, RedisSnapshot, RedisSnapshotEntry } from './snapshot.ts';
