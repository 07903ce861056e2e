/**
 * The session of a client at the server, under a lease: three heartbeats in its length renew it.
 *
 * A server that answers after the lease may have run out may still know the session: then requests
 * that wait have kept their queue positions.
 */

import type { ProtocolError } from '../../api/errors.ts';
import { versionMismatch } from '../../api/refusals.ts';
import { LeasedSession, type Loss, type Renewal } from '../../remote/leased-session.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { ScriptReply, Scripts } from './scripts.ts';
import { ServerSession } from './server-session.ts';

/** Of the layout of a domain's keys (lua/state.lua). */
export const layoutVersion = 2;

const heartbeatsPerLease = 3;
/** Pause after a heartbeat without an answer, at most, ms; a tenth of a short lease. */
const retryMsMax = 1000;

export interface RedisRenewal extends Renewal {
  readonly reply: ScriptReply;
  /** Notifications that the session has been sent, and the greatest number that it called with. */
  readonly notifiedCount: number;
  readonly numberTop: number;
}

export interface RedisSessionOptions {
  readonly scripts: Scripts;
  readonly clock: Clock;
  /** A name that no other client has, without a dot. */
  readonly client: string;
  readonly leaseMs: number;
  /** Description of the client for people: JSON. */
  readonly about: string;
  onRenewed(renewal: RedisRenewal): void;
  /** The lease may be over: nothing that the session holds is certain from here on. */
  onRunOut(): void;
  /** The server has ended the session before the present one. */
  onExpired(): void;
  /** A heartbeat was not answered, or refused. */
  onFailed(error: unknown): void;
}

/** The sessions of a client, one after the other: a lost one is followed by the next number. */
export class RedisSession {
  readonly #options: RedisSessionOptions;
  /** The present session, as the server knows it. */
  server: ServerSession;
  /** Both sides may have come to differ: the next heartbeat is followed by an audit. */
  isAuditDue = false;
  #lease: LeasedSession<RedisRenewal>;
  #count = 1;

  constructor(options: RedisSessionOptions) {
    this.#options = options;
    this.server = new ServerSession(`${options.client}.1`);
    this.#lease = this.#create();
  }

  /** Whether the server answers, as far as is known: otherwise only heartbeats are sent. */
  get isUp(): boolean {
    return this.#lease.isUp;
  }

  /** Whether what the session holds is certainly held at this moment. */
  get isValid(): boolean {
    return this.#lease.isValid;
  }

  /** @throws the error of the first heartbeat; then this may be called again. */
  async open(): Promise<void> {
    await this.#lease.open();
  }

  check(): void {
    this.#lease.check();
  }

  heartbeatNow(): void {
    this.#lease.heartbeatNow();
  }

  /** A call was not answered. */
  suspect(): void {
    this.#lease.suspect();
  }

  async close(): Promise<void> {
    await this.#lease.close();
  }

  #create(): LeasedSession<RedisRenewal> {
    return createLease(this.server.id, this.#options, () => {
      this.#count++;
      this.server = new ServerSession(`${this.#options.client}.${this.#count}`);
      this.#lease = this.#create();
      this.#options.onExpired();
      this.#lease.heartbeatNow();
    });
  }
}

function createLease(
  id: string,
  { scripts, clock, leaseMs, about, ...events }: RedisSessionOptions,
  onLost: () => void,
): LeasedSession<RedisRenewal> {
  const run = (what: 'open' | 'renew' | 'close'): Promise<ScriptReply> =>
    scripts.run('heartbeat', [id, what, `${leaseMs}`, about, `${layoutVersion}`]);
  const sendHeartbeat = async (what: 'open' | 'renew'): Promise<RedisRenewal | Loss> => {
    const sentMs = clock.nowMs();
    const reply = await run(what);
    const [word, notifiedCount, numberTop, more] = reply.answer;
    if (word === 'version') throw otherVersion(notifiedCount);
    if (word === 'expired') return { lost: 'its lease has ended' };
    return {
      sentMs,
      leaseMs,
      isMoreDue: more === 'more',
      reply,
      notifiedCount: Number(notifiedCount),
      numberTop: Number(numberTop),
    };
  };
  return new LeasedSession({
    clock,
    heartbeatsPerLease,
    retryMs: Math.min(retryMsMax, leaseMs / 10),
    open: () => sendHeartbeat('open'),
    renew: () => sendHeartbeat('renew'),
    end: async () => {
      try {
        while ((await run('close')).answer[1] === 'more');
      } catch {
        // It ends by itself, with its lease.
      }
    },
    onRenewed: (renewal) => events.onRenewed(renewal),
    onRunOut: () => events.onRunOut(),
    onLost,
    onFailed: (error) => events.onFailed(error),
  });
}

/** The error of a domain whose sessions are of another version; `found` is '' for none. */
function otherVersion(found: unknown): ProtocolError {
  return versionMismatch(
    'the domain in redis',
    found === '' ? undefined : Number(found),
    layoutVersion,
    'close all of its clients (of one that died, the keys expire after six of its leases), and ' +
      'use one version of kds for all of them; or give the domain another name',
  );
}
