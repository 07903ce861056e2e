/** Opening a domain whose log is kept by etcd. */

import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Domain } from '../../api/domain.ts';
import { LimitError, UnavailableError } from '../../api/errors.ts';
import { checkIsObject, checkLabel } from '../../api/options.ts';
import { outerKeys } from '../../api/outer-grants.ts';
import { describe } from '../../api/sets.ts';
import { type CapacitySpec, type ReadCapacity, readCapacities } from '../../api/units.ts';
import { RemoteBackend } from '../../remote/backend.ts';
import { RemoteSession } from '../../remote/session.ts';
import { systemClock } from '../../runtime/clock.ts';
import { EtcdBackend } from './backend.ts';
import { EtcdConnection, type Member } from './connection.ts';
import type { SessionEntry } from './entries.ts';
import type { EtcdGrant } from './grant.ts';
import { type EtcdTls, httpMembers } from './http-member.ts';
import { Keys } from './keys.ts';
import { EtcdRefusal } from './refusal.ts';
import type { Credentials } from './sign-in.ts';
import type { EtcdSnapshot } from './snapshot.ts';

/**
 * Options of {@link openEtcdDomain}.
 *
 * @since 0.1.0
 */
export interface EtcdOptions {
  /**
   * The name of the domain, which clients of one cluster and name share: 1 to 256 code units,
   * without lone surrogates.
   */
  readonly name: string;
  /**
   * Time, s, after which the session of a silent client expires, and its grants are released: an
   * integer from 2 to 3600. Default 10.
   */
  readonly leaseSeconds?: number | undefined;
  /**
   * The label of this client, in snapshots and events. At most 1,024 code units. Default: none.
   */
  readonly label?: string | undefined;
  /**
   * Capacities that are declared as the domain is opened, by name, as by
   * {@link Domain.setCapacity}. Default: none.
   *
   * @since 0.2.0
   */
  readonly capacity?: Readonly<Record<string, CapacitySpec>> | undefined;
}

/**
 * The addresses of an etcd cluster, and the credentials of this client.
 *
 * @since 0.1.0
 */
export interface EtcdCluster {
  /**
   * The address of one member, or of all of them, so that one may fail: `http://host:port` or
   * `https://host:port`.
   */
  readonly hosts: string | readonly string[];
  /** The user that kds signs in as. Default: no authentication. */
  readonly auth?:
    | {
        /** The name of the user. */
        readonly username: string;
        /** The password of the user. */
        readonly password: string;
      }
    | undefined;
  /** For `https:`: the trusted authorities and the certificate of this client. */
  readonly tls?: EtcdTls | undefined;
}

/**
 * A domain in etcd. etcd itself can check its grants, and its snapshots name the client of each
 * set. It has no synchronous calls, so `locked` makes no difference.
 *
 * @example
 * ```ts
 * import { type EtcdDomain, openEtcdDomain } from 'kds/etcd';
 *
 * const hosts = process.env['ETCD_URL'] ?? 'http://127.0.0.1:2379';
 * const domain: EtcdDomain = await openEtcdDomain(hosts, { name: 'shop' });
 * const { revision, held } = await domain.query();
 * console.log(revision, held.map(({ client }) => client?.host));
 * await domain.close();
 * ```
 * @since 0.1.0
 */
export interface EtcdDomain extends Domain<EtcdGrant> {
  query(): Promise<EtcdSnapshot>;
}

const leaseSecondsDefault = 10;
const leaseSecondsMin = 2;
const leaseSecondsMax = 3600;
/** Length of a domain's name, at most, in UTF-16 code units. */
const domainNameLengthMax = 256;
/** Time limit, ms, of one member's answer: an eighth of the lease, within these. */
const attemptMsMin = 250;
const attemptMsMax = 2000;

/**
 * Opens the domain of a name in an etcd cluster (3.4 or later, with its JSON gateway, which is
 * enabled by default).
 *
 * Each client follows the log of the domain in etcd, and puts its own requests into it. The loss of
 * a member costs time only; the session of a dead client expires with its lease. If this client
 * cannot renew its lease in time, its grants are lost before etcd can end the lease:
 * `grant.signal` aborts. An idle domain does not keep the process alive; a waiting request does.
 *
 * @param cluster - The address of one member or of all, or these with credentials.
 * @param options - The name of the domain, the lease and a label.
 * @throws {@link UnavailableError} if no member answers in time, or etcd refuses this client.
 * @throws {@link ProtocolError} if the server is no etcd, another program has written keys of the
 * domain, or the domain is of another version of kds.
 * @throws {@link LimitError} if the name or the label is too long.
 * @throws TypeError or RangeError if an argument is invalid.
 * @waits Resolves when the state of the domain is read: after some round trips to etcd.
 * @example
 * ```ts
 * import { openEtcdDomain } from 'kds/etcd';
 *
 * const hosts = [process.env['ETCD_URL'] ?? 'http://127.0.0.1:2379']; // one or all members
 * const domain = await openEtcdDomain({ hosts }, { name: 'shop', leaseSeconds: 10 });
 * await domain.run({ exclusive: 'stock', shared: 'prices' }, (grant) => console.log(grant.token));
 * await domain.close();
 * ```
 * @since 0.1.0
 */
export async function openEtcdDomain(
  cluster: string | readonly string[] | EtcdCluster,
  options: EtcdOptions,
): Promise<EtcdDomain> {
  const { members, auth } = checkCluster(cluster);
  const { name, leaseSeconds, label, capacities } = checkEtcdOptions(options);
  const connection = new EtcdConnection({
    members,
    auth,
    attemptMs: attemptMsOf(leaseSeconds),
    clock: systemClock,
    random: Math.random,
  });
  const backend = new EtcdBackend({
    connection,
    keys: new Keys(name),
    clock: systemClock,
    leaseSeconds,
    entry: whoThisIs(label),
    nextSessionId: () => randomBytes(8).toString('hex'),
    outer: outerSets(),
  });
  try {
    await backend.open();
    await declareAll(backend, capacities);
  } catch (error) {
    connection.close();
    if (!(error instanceof EtcdRefusal)) throw error;
    throw new UnavailableError(`etcd refuses to let this client in: ${error.message}`);
  }
  // Its grants are made by the backend.
  return new RemoteSession(
    new RemoteBackend(backend),
    label,
  ) as RemoteSession<EtcdSnapshot> as unknown as EtcdDomain;
}

async function declareAll(
  backend: EtcdBackend,
  capacities: ReadonlyMap<string, ReadCapacity>,
): Promise<void> {
  try {
    for (const [resource, capacity] of capacities) await backend.setCapacity(resource, capacity);
  } catch (error) {
    await backend.close({ requests: [], grants: [] });
    throw error;
  }
}

/** Time limit, ms, of one member's answer to a call. */
export function attemptMsOf(leaseSeconds: number): number {
  return Math.min(Math.max((leaseSeconds * 1000) / 8, attemptMsMin), attemptMsMax);
}

/** Of outer grants, those that may be in etcd: the sessions of other backends have other names. */
function outerSets(): readonly string[] {
  const keys = outerKeys().filter(({ session }) => /^[0-9a-f]{1,32}$/.test(session));
  return keys.map(({ session, number }) => `${session}/${number}`);
}

function whoThisIs(label: string | undefined): SessionEntry {
  return { pid: process.pid, host: hostname(), ...(label !== undefined && { label }) };
}

function checkCluster(cluster: string | readonly string[] | EtcdCluster): {
  readonly members: readonly Member[];
  readonly auth: Credentials | undefined;
} {
  const isHosts = typeof cluster === 'string' || Array.isArray(cluster);
  const { hosts, auth, tls } = (isHosts ? { hosts: cluster } : (cluster ?? {})) as EtcdCluster;
  const list = typeof hosts === 'string' ? [hosts] : hosts;
  if (!Array.isArray(list) || list.length === 0) {
    throw new TypeError("hosts are addresses, as 'http://127.0.0.1:2379', one or more");
  }
  if (auth !== undefined) {
    checkIsObject(auth);
    if (typeof auth.username !== 'string' || typeof auth.password !== 'string') {
      throw new TypeError('auth has a username and a password');
    }
  }
  if (tls !== undefined) checkIsObject(tls);
  return { members: httpMembers(list.map(checkUrl), tls), auth };
}

function checkUrl(host: unknown): URL {
  const url = typeof host === 'string' && URL.canParse(host) ? new URL(host) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  throw new TypeError(`a host is an address like 'http://127.0.0.1:2379', not ${describe(host)}`);
}

function checkEtcdOptions(options: EtcdOptions) {
  checkIsObject(options);
  const { name, label, leaseSeconds = leaseSecondsDefault, capacity } = options;
  if (typeof name !== 'string' || name === '') {
    throw new TypeError(`name is that of the domain, not ${describe(name)}`);
  }
  if (/\p{Surrogate}/u.test(name))
    throw new TypeError('the name of a domain has no lone surrogates');
  if (name.length > domainNameLengthMax) {
    throw new LimitError(
      `a domain's name of ${name.length} code units is over the limit of ${domainNameLengthMax}`,
    );
  }
  if (typeof leaseSeconds !== 'number') {
    throw new TypeError(`leaseSeconds is a number of seconds, not ${describe(leaseSeconds)}`);
  }
  const isWithin = leaseSeconds >= leaseSecondsMin && leaseSeconds <= leaseSecondsMax;
  if (!isWithin || !Number.isInteger(leaseSeconds)) {
    throw new RangeError(
      `leaseSeconds is from ${leaseSecondsMin} to ${leaseSecondsMax}, not ${leaseSeconds}`,
    );
  }
  if (label !== undefined) checkLabel(label);
  return { name, leaseSeconds, label, capacities: readCapacities(capacity) };
}
