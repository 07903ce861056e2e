/**
 * kds/redis: one domain for all clients of a Redis or Valkey server (docs/redis.md).
 *
 * The state lies in keys of one hash tag, and is changed by scripts; who waits is told by a channel.
 */

export {
  openRedisDomain,
  type RedisClient,
  type RedisDomain,
  type RedisOptions,
} from './domain.ts';
export type { RedisClientInfo, RedisSnapshot, RedisSnapshotEntry } from './snapshot.ts';
