/**
 * The address of a command's domain: the socket of a broker, or a URL of Redis.
 *
 * A URL may contain a password, so messages print `addressText` and never the URL.
 */

import { isAbsolute, resolve } from 'node:path';
import { defaultSocketPath } from '../backends/broker/index.ts';
import { readDuration, UsageError } from './arguments.ts';

interface BrokerAddress {
  readonly at: 'broker';
  readonly socketPath: string;
}

export interface RedisAddress {
  readonly at: 'redis';
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
  /** Name of the domain: domains of different names are independent. */
  readonly name: string;
  readonly leaseMs: number | undefined;
}

export type DomainAddress = BrokerAddress | RedisAddress;

const portDefault = 6379;
const nameDefault = 'default';
const form = 'redis://HOST[:PORT][/DATABASE][?name=NAME&lease=TIME], or rediss:// for TLS';

/**
 * The value of `--domain` or `--socket`, or KDS_DOMAIN, or KDS_SOCKET, or the user's own broker.
 *
 * @throws UsageError
 */
export function readAddress(domain: string | undefined, socket: string | undefined): DomainAddress {
  if (domain !== undefined && socket !== undefined) {
    throw new UsageError('--domain and --socket cannot be used together');
  }
  if (domain !== undefined) return readDomain(domain, '--domain');
  const { KDS_DOMAIN = '' } = process.env;
  if (socket === undefined && KDS_DOMAIN !== '') return readDomain(KDS_DOMAIN, 'KDS_DOMAIN');
  return { at: 'broker', socketPath: readSocket(socket) };
}

/** The broker's socket: the value of `--socket`, or KDS_SOCKET, or the user's own. */
export function readSocket(text: string | undefined): string {
  if (text === '') throw new UsageError('the path of --socket is empty');
  if (text !== undefined) return resolve(text);
  const path = defaultSocketPath();
  if (isAbsolute(path)) return path;
  throw new UsageError(`KDS_SOCKET must be an absolute path, got ${JSON.stringify(path)}`);
}

/** For people: never with the password. */
export function addressText(address: DomainAddress): string {
  if (address.at === 'broker') return address.socketPath;
  const { host, port, isTls, database, name } = address;
  const hostText = host.includes(':') ? `[${host}]` : host;
  const scheme = isTls ? 'rediss' : 'redis';
  return `${scheme}://${hostText}:${port}/${database}?name=${encodeURIComponent(name)}`;
}

function readDomain(text: string, option: string): RedisAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isRedis = url?.protocol === 'redis:' || url?.protocol === 'rediss:';
  if (url === undefined || !isRedis || url.hostname === '' || url.hash !== '') {
    throw new UsageError(`${option} must be ${form}`);
  }
  const known = ['name', 'lease'];
  for (const key of url.searchParams.keys()) {
    if (!known.includes(key)) {
      throw new UsageError(
        `${option} has the unknown parameter ${JSON.stringify(key)}: use ${form}`,
      );
    }
    if (url.searchParams.getAll(key).length > 1)
      throw new UsageError(`${option} has the parameter ${key} twice`);
  }
  if (url.searchParams.get('name') === '') throw new UsageError(`${option} has an empty name`);
  const lease = url.searchParams.get('lease');
  return {
    at: 'redis',
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? portDefault : Number(url.port),
    isTls: url.protocol === 'rediss:',
    username: readSecret(url.username, option),
    password: readSecret(url.password, option) ?? process.env['REDISCLI_AUTH'],
    database: readDatabase(url.pathname, option),
    name: url.searchParams.get('name') ?? nameDefault,
    leaseMs: lease === null ? undefined : readDuration(lease, `${option}: lease`),
  };
}

function readDatabase(path: string, option: string): number {
  if (path === '' || path === '/') return 0;
  const [, digits] = /^\/(\d{1,9})$/.exec(path) ?? [];
  if (digits === undefined) {
    throw new UsageError(`the database of ${option} must be a number, as in ${form}`);
  }
  return Number(digits);
}

function readSecret(text: string, option: string): string | undefined {
  if (text === '') return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    throw new UsageError(`${option} has a user or password that is not percent-encoded`);
  }
}
