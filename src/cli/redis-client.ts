/**
 * Connects a client of Redis for the command line, of the library that is installed beside kds:
 * ioredis, iovalkey or redis. It is loaded only for a domain in Redis.
 *
 * A failure of the first connection is an error at once. A later one is not: the client reconnects,
 * and the lease decides whether grants survive.
 */

import { UnavailableError } from '../api/errors.ts';
import { addressText, type RedisAddress } from './domain-address.ts';

const connectMsMax = 5000;
const reconnectMs = 200;

export interface ConnectedClient {
  readonly client: AnyClient;
  close(): void;
}

type Ioredis = Pick<typeof import('ioredis'), 'Redis'>;
type NodeRedis = Pick<typeof import('redis'), 'createClient'>;
/** The backend detects its library. */
type AnyClient = InstanceType<Ioredis['Redis']> | ReturnType<NodeRedis['createClient']>;

/** @throws UnavailableError without a library, a server, or permission. */
export async function connectToRedis(address: RedisAddress): Promise<ConnectedClient> {
  const ioredis = (await load<Ioredis>(() => import('ioredis'))) ?? (await load(loadIovalkey));
  if (ioredis !== undefined) return connectByIoredis(ioredis, address);
  const nodeRedis = await load<NodeRedis>(() => import('redis'));
  if (nodeRedis !== undefined) return connectByNodeRedis(nodeRedis, address);
  throw new UnavailableError(
    'a domain in Redis requires a client library, and none is installed beside kds: run ' +
      'npm install ioredis (or redis, or iovalkey), with -g if kds is installed globally',
  );
}

/** Undefined if it is not installed. Other errors of loading are thrown. */
async function load<T>(importing: () => Promise<T>): Promise<T | undefined> {
  try {
    return await importing();
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error;
    if (isMissing && error.code === 'ERR_MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

/** A fork of ioredis with the same interface, as far as it is used here. */
async function loadIovalkey(): Promise<Ioredis> {
  return (await import('iovalkey')) as unknown as Ioredis;
}

async function connectByIoredis(
  { Redis }: Ioredis,
  address: RedisAddress,
): Promise<ConnectedClient> {
  const { host, port, username, password, database, isTls } = address;
  let isConnected = false;
  let lastError: unknown;
  const client = new Redis({
    host,
    port,
    db: database,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(isTls && { tls: { servername: host } }),
    lazyConnect: true,
    connectTimeout: connectMsMax,
    maxRetriesPerRequest: null,
    retryStrategy: () => (isConnected ? reconnectMs : null),
  });
  client.on('error', (error) => {
    lastError = error;
  });
  try {
    await client.connect();
    await client.ping();
  } catch (error) {
    lastError ??= error;
  }
  // Also an error that the client ignores: with an invalid database it would use another one.
  if (lastError !== undefined) {
    client.disconnect();
    throw unavailable(address, lastError);
  }
  isConnected = true;
  return { client, close: () => client.disconnect() };
}

async function connectByNodeRedis(
  { createClient }: NodeRedis,
  address: RedisAddress,
): Promise<ConnectedClient> {
  const { host, port, username, password, database, isTls } = address;
  let isConnected = false;
  const client: ReturnType<NodeRedis['createClient']> = createClient({
    socket: {
      host,
      port,
      connectTimeout: connectMsMax,
      ...(isTls && { tls: true, servername: host }),
      reconnectStrategy: (_, cause) => (isConnected ? reconnectMs : cause),
    },
    database,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
  });
  if (typeof client.connect !== 'function') {
    throw new UnavailableError(
      'the package redis that is installed beside kds is too old: install redis@^4.6 or later',
    );
  }
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.ping();
  } catch (error) {
    if (client.isOpen) client.destroy();
    throw unavailable(address, error);
  }
  isConnected = true;
  return { client, close: () => client.destroy() };
}

function unavailable(address: RedisAddress, cause: unknown): UnavailableError {
  const where = addressText(address);
  return new UnavailableError(`Redis is unavailable at ${where}: ${reasonOf(cause)}`, { cause });
}

/** A host with several addresses fails with an error for each, and no message of its own. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map(reasonOf).join('; ');
  }
  return error instanceof Error ? error.message : String(error);
}
