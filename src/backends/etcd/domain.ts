/** Opening a domain whose log is kept by etcd. */

import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Domain } from '../../api/domain.ts';
import { LimitError, UnavailableError } from '../../api/errors.ts';
import { checkIsObject, checkLabel } from '../../api/options.ts';
import { outerKeys } from '../../api/outer-grants.ts';
import { describe } from '../../api/sets.ts';
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

export interface EtcdOptions {
  /** Of the domain: clients that use the same name in the same etcd exclude each other. */
  readonly name: string;
  /**
   * Time after which a silent client's session expires, in s: an integer from 2 to 3600. Default
   * 10. Until then the resources that a dead client holds are not free.
   */
  readonly leaseSeconds?: number | undefined;
  /** The label of this client, and of sets that go through no session. */
  readonly label?: string | undefined;
}

/** The addresses of etcd, and this client's credentials. */
export interface EtcdCluster {
  /** `http://host:port` of one member, or of several: then one may fail. */
  readonly hosts: string | readonly string[];
  readonly auth?: { readonly username: string; readonly password: string } | undefined;
  /** For `https:`: which certificates are trusted and presented. */
  readonly tls?: EtcdTls | undefined;
}

/** Its grants can be checked by etcd itself, and its snapshots have the client of each set. */
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
 * Opens the domain of that name in an etcd cluster (3.4 or later, with its JSON gateway, which is
 * on unless it has been turned off). Waits until its state is known.
 *
 * Each client follows the log of all that happens in the domain, and puts its own requests into
 * it. A lost member costs time only; the session of a dead client expires with its lease.
 * If this client cannot renew its lease in time, its grants are lost, before etcd lets anybody else
 * have what they hold. Idle domains do not keep the process alive.
 *
 * @throws UnavailableError if no member answers, or etcd refuses; ProtocolError for what is no
 * etcd, or keys that are not kds's; TypeError, RangeError, LimitError for options that are none.
 * @example
 * ```ts no-run
 * import { openEtcdDomain } from 'kds/etcd';
 *
 * const hosts = ['http://10.0.0.1:2379', 'http://10.0.0.2:2379', 'http://10.0.0.3:2379'];
 * const domain = await openEtcdDomain({ hosts }, { name: 'shop', leaseSeconds: 10 });
 * await domain.run({ exclusive: 'stock', shared: 'prices' }, (grant) => console.log(grant.token));
 * await domain.close();
 * ```
 */
export async function openEtcdDomain(
  cluster: string | readonly string[] | EtcdCluster,
  options: EtcdOptions,
): Promise<EtcdDomain> {
  const { members, auth } = checkCluster(cluster);
  const { name, leaseSeconds, label } = checkEtcdOptions(options);
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
  const { name, label, leaseSeconds = leaseSecondsDefault } = options;
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
  return { name, leaseSeconds, label };
}
