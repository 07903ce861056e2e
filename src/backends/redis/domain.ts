/** A domain that all clients of a Redis or Valkey server share. */

import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { basename } from 'node:path';
import type { Domain } from '../../api/domain.ts';
import { UnsupportedError } from '../../api/errors.ts';
import { checkIsObject, checkLabel } from '../../api/options.ts';
import { outerKeys } from '../../api/outer-grants.ts';
import { checkName, describe } from '../../api/sets.ts';
import { RemoteBackend } from '../../remote/backend.ts';
import { RemoteSession } from '../../remote/session.ts';
import { systemClock } from '../../runtime/clock.ts';
import { RedisBackend } from './backend.ts';
import { clusterError } from './cluster-error.ts';
import type { RedisConnection } from './connection.ts';
import { connectIoredis, type IoredisClient } from './ioredis.ts';
import { connectNodeRedis, type NodeRedisClient, type NodeRedisSentinel } from './node-redis.ts';
import type { RedisSnapshot } from './snapshot.ts';

/**
 * Options of {@link openRedisDomain}.
 *
 * @since 0.1.0
 */
export interface RedisOptions {
  /**
   * The name of the domain, which clients of one server and name share: any string of at most
   * 65,536 code units.
   */
  readonly name: string;
  /**
   * Time, ms, after which the grants of a client that has stopped are released: 300 to 86,400,000.
   * Default 10,000. A shorter lease is renewed more often, and lost sooner.
   */
  readonly leaseMs?: number | undefined;
  /**
   * The label of this client, in snapshots and events; in errors where a request has no label. At
   * most 1,024 code units. Default: none.
   */
  readonly label?: string | undefined;
  /**
   * The command of this client, in snapshots; cut to 1,024 code units. Default: the command line of
   * this process.
   */
  readonly command?: string | undefined;
}

/**
 * A client that is connected, or is about to be: of ioredis, of iovalkey, or of node-redis
 * (`createClient`, `createSentinel`). Pools, clusters and borrowed clients are refused.
 *
 * @since 0.1.0
 */
export type RedisClient = IoredisClient | NodeRedisClient | NodeRedisSentinel;

const leaseMsDefault = 10_000;
const leaseMsMin = 300;
const leaseMsMax = 86_400_000;
const commandLengthMax = 1024;

/**
 * A domain that all clients of a Redis or Valkey server share. Its snapshots name the client of
 * each set. It has no synchronous calls, so `locked` makes no difference.
 *
 * @example
 * ```ts
 * import { Redis } from 'ioredis';
 * import { openRedisDomain, type RedisDomain } from 'kds/redis';
 *
 * const redis = new Redis(process.env['REDIS_URL'] ?? 'redis://127.0.0.1');
 * const domain: RedisDomain = await openRedisDomain(redis, { name: 'shop' });
 * const { held } = await domain.query();
 * console.log(held.map(({ client }) => client.host));
 * await domain.close();
 * await redis.quit();
 * ```
 * @since 0.1.0
 */
export interface RedisDomain extends Domain {
  query(): Promise<RedisSnapshot>;
}

/**
 * Opens a domain whose state a Redis (6.2 or later) or Valkey server keeps. The client stays yours:
 * kds sends its commands by it, and duplicates it to receive messages. Do not block it, and do not
 * select another database on it.
 *
 * The server keeps the grants of this client while the client renews its lease (`leaseMs`). If a
 * renewal may have failed, the grants are lost here first: `grant.signal` aborts. No lease
 * guarantees exclusion in a network: check `grant.token` where the protected data is.
 *
 * `release`, `downgrade` and `abandon` return promises, which never reject, and resolve when the
 * server has the change. The domain's timers do not keep the process alive; the client's
 * connections do, until you close them, and that of the duplicate until the domain is closed.
 *
 * @param client - A client that is connected, or is about to be.
 * @param options - The name of the domain, the lease and labels.
 * @throws {@link UnavailableError} if the server does not answer within 10 s.
 * @throws {@link ProtocolError} if the server refuses, or the domain is of another version of kds.
 * @throws {@link UnsupportedError} for a cluster, or a server or client that is too old.
 * @throws {@link LimitError} if the name or the label is too long.
 * @throws TypeError or RangeError if an argument is invalid.
 * @waits Resolves after some round trips to the server, at most some 10 s.
 * @example
 * ```ts
 * import { Redis } from 'ioredis';
 * import { openRedisDomain } from 'kds/redis';
 *
 * const redis = new Redis(process.env['REDIS_URL'] ?? 'redis://127.0.0.1');
 * const domain = await openRedisDomain(redis, { name: 'shop', leaseMs: 10_000 });
 * const set = { exclusive: 'order 7', shared: 'prices' };
 * await domain.run(set, (grant) => console.log(grant.token));
 * await domain.close();
 * await redis.quit();
 * ```
 * @since 0.1.0
 */
export async function openRedisDomain(
  client: RedisClient,
  options: RedisOptions,
): Promise<RedisDomain> {
  const { name, label, leaseMs, about } = checkRedisOptions(options);
  const connection = connect(client);
  const backend = new RedisBackend({
    connection,
    clock: systemClock,
    name,
    label,
    client: randomBytes(16).toString('base64url'),
    leaseMs,
    about,
    outer: outerKeys(),
  });
  try {
    await backend.open();
  } catch (error) {
    await backend.close({ requests: [], grants: [] });
    throw error;
  }
  return new RemoteSession(new RemoteBackend(backend), label);
}

function connect(client: RedisClient): RedisConnection {
  if (typeof client !== 'object' || client === null) throw noClient(client);
  const isCluster = 'isCluster' in client && client.isCluster === true;
  if (isCluster || 'slots' in client || 'masters' in client) throw clusterError();
  if ('sendCommand' in client && 'isReady' in client && 'duplicate' in client) {
    return connectNodeRedis(client);
  }
  if ('call' in client && 'status' in client && 'duplicate' in client) {
    return connectIoredis(client);
  }
  if ('duplicate' in client) checkVersion(client);
  if ('sendCommand' in client || 'execute' in client) throw borrowedClient();
  throw noClient(client);
}

/** A pool, or what it or a sentinel lends. */
function borrowedClient(): TypeError {
  return new TypeError(
    'a pool of node-redis, or a client that it or a sentinel lends, cannot be used: commands of ' +
      'kds must arrive in order, and it makes connections of its own. Give a client of ' +
      'createClient or createSentinel',
  );
}

/** @throws UnsupportedError for a client of a known library in a version that cannot be used. */
function checkVersion(client: object): void {
  const has = (...names: readonly string[]): boolean => names.every((name) => name in client);
  // Of redis up to version 3, and of the first ones of 4.
  if (has('send_command', 'internal_send_command') || (has('sendCommand') && !has('call'))) {
    throw new UnsupportedError(
      'this version of the package redis cannot be used: npm install redis@^4.6 or later, or ' +
        'ioredis 3 or later, or iovalkey',
    );
  }
  if (has('status', 'options')) {
    throw new UnsupportedError(
      'this version of ioredis cannot be used: npm install ioredis@^3 or later',
    );
  }
}

function noClient(client: unknown): TypeError {
  return new TypeError(
    `the client is one of ioredis, iovalkey or node-redis, not ${describe(client)}`,
  );
}

function checkRedisOptions(options: RedisOptions) {
  checkIsObject(options);
  const { name, leaseMs = leaseMsDefault, label, command = commandLine() } = options;
  if (typeof name !== 'string') throw new TypeError(`name is a string, not ${describe(name)}`);
  checkName(name);
  if (typeof leaseMs !== 'number') {
    throw new TypeError(`leaseMs is a number of milliseconds, not ${describe(leaseMs)}`);
  }
  if (!(leaseMs >= leaseMsMin && leaseMs <= leaseMsMax)) {
    throw new RangeError(`leaseMs is ${leaseMsMin} to ${leaseMsMax}, not ${leaseMs}`);
  }
  if (label !== undefined) checkLabel(label);
  if (typeof command !== 'string') {
    throw new TypeError(`command is a string, not ${describe(command)}`);
  }
  const about = JSON.stringify({
    label,
    pid: process.pid,
    host: hostname(),
    command: command.slice(0, commandLengthMax),
  });
  return { name, label, leaseMs: Math.floor(leaseMs), about };
}

function commandLine(): string {
  return [basename(process.argv0), ...process.argv.slice(1)].join(' ');
}
