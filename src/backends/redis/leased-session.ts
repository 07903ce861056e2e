/**
 * The session of a client at the server, under a lease: three heartbeats in its length renew it.
 *
 * A server that answers after the lease may have run out may still know the session: then requests
 * that wait have kept their queue positions.
 */

import { UnavailableError } from '../../api/errors.ts';
import {
  LeasedSession,
  type Loss,
  type Renewal,
  type SessionConfig,
} from '../../remote/leased-session.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { ScriptReply, Scripts } from './scripts.ts';

const heartbeatsPerLease = 3;
/** Pause after a heartbeat without an answer, at most, ms; a tenth of a short lease. */
const retryMsMax = 1000;

export interface RedisRenewal extends Renewal {
  readonly reply: ScriptReply;
  /** Notifications that the session has been sent, and the greatest number that it called with. */
  readonly notifiedCount: number;
  readonly numberTop: number;
}

export interface SessionTerms {
  /** `<client>.<number>`: no other session has it. */
  readonly id: string;
  readonly leaseMs: number;
  /** Description of the client for people: JSON. */
  readonly about: string;
}

type SessionEvents = Pick<
  SessionConfig<RedisRenewal>,
  'onRenewed' | 'onRunOut' | 'onLost' | 'onFailed'
>;

export function createSession(
  { id, leaseMs, about }: SessionTerms,
  scripts: Scripts,
  clock: Clock,
  events: SessionEvents,
): LeasedSession<RedisRenewal> {
  const run = (what: 'open' | 'renew' | 'close'): Promise<ScriptReply> =>
    scripts.run('heartbeat', [id, what, `${leaseMs}`, about]);
  const beat = async (what: 'open' | 'renew'): Promise<RedisRenewal | Loss> => {
    const sentMs = clock.nowMs();
    const reply = await run(what);
    const [word, notifiedCount, numberTop, more] = reply.answer;
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
    open: () => beat('open'),
    renew: () => beat('renew'),
    end: async () => {
      try {
        while ((await run('close')).answer[1] === 'more');
      } catch {
        // It ends by itself, with its lease.
      }
    },
    ...events,
  });
}

/** The error of requests that wait when the server has been out of reach for `forMs` ms. */
export function outOfReach(forMs: number, reason: unknown): UnavailableError {
  const why = reason instanceof Error ? reason.message : String(reason);
  return new UnavailableError(`redis has been out of reach for ${Math.round(forMs)} ms: ${why}`);
}
