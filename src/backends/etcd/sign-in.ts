/**
 * The token by which a member knows its caller, given for a user's name and password.
 *
 * To check a password takes a member as long as its administrator wants (bcrypt: a second at cost
 * 13, four at 15), and keeps a core of it busy. So this has a time limit of its own, whatever that
 * of the calls that wait for the token; and there is one request for it at a time, not one a call.
 * A member that does not answer may be a frozen one: then another is tried besides.
 */

import { ProtocolError, UnavailableError } from '../../api/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import { within } from '../../runtime/within.ts';
import type { Json } from './calls.ts';
import { pauseMsOf, throwIfFinal } from './refusal.ts';

/** Time limit of one attempt, ms. */
const attemptMsMax = 30_000;
/** Time after which no further attempt is made, ms. */
const roundsMsMax = 10_000;
/** Least time, ms, after which another member is tried besides. */
const besidesMsMin = 1000;

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** Asks the `index`th member from the present one on. */
type Ask = (index: number, body: string, limitMs: number) => Promise<Json>;

export class SignIn {
  readonly #body: string;
  readonly #clock: Clock;
  readonly #memberCount: number;
  readonly #besidesMs: number;
  #token: string | undefined;
  /** When a new one is had before this one expires, on the clock, ms. */
  #renewalMs = Number.POSITIVE_INFINITY;
  #underWay: Promise<string> | undefined;
  #isOpen = true;

  /** `attemptMs`: time within which most calls are answered, ms. */
  constructor(
    { username: name, password }: Credentials,
    clock: Clock,
    memberCount: number,
    attemptMs: number,
  ) {
    this.#body = JSON.stringify({ name, password });
    this.#clock = clock;
    this.#memberCount = memberCount;
    this.#besidesMs = Math.max(attemptMs, besidesMsMin);
  }

  /** @throws UnavailableError, ProtocolError; EtcdRefusal if the password is not right */
  async token(ask: Ask): Promise<string> {
    if (this.#token === undefined) return this.#renew(ask);
    // The present one goes on until there is another.
    if (this.#clock.nowMs() >= this.#renewalMs) {
      this.#renewalMs = Number.POSITIVE_INFINITY;
      this.#renew(ask).catch(() => undefined);
    }
    return this.#token;
  }

  /** It is not valid any more. */
  forget(token: string): void {
    if (this.#token === token) this.#token = undefined;
  }

  close(): void {
    this.#isOpen = false;
  }

  #renew(ask: Ask): Promise<string> {
    this.#underWay ??= this.#signIn(ask).finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  async #signIn(ask: Ask): Promise<string> {
    const endMs = this.#clock.nowMs() + roundsMsMax;
    for (let round = 0; ; round++) {
      try {
        const { token } = await this.#askInTurn(ask);
        if (typeof token !== 'string') throw new ProtocolError('etcd gives no token');
        this.#renewalMs = this.#clock.nowMs() + renewalMsOf(token, this.#clock.epochMs());
        this.#token = token;
        return token;
      } catch (error) {
        throwIfFinal(error);
        if (!this.#isOpen || this.#clock.nowMs() >= endMs) {
          const last = error instanceof Error ? error.message : String(error);
          throw new UnavailableError(`no member of the etcd cluster checks a password: ${last}`);
        }
      }
      await new Promise<void>((resolve) => void this.#clock.after(pauseMsOf(round), resolve));
    }
  }

  /** The first answer. The next member is tried when those before have failed, or are slow. */
  async #askInTurn(ask: Ask): Promise<Json> {
    const attempts: Promise<Json>[] = [];
    for (let index = 0; ; index++) {
      attempts.push(ask(index, this.#body, attemptMsMax));
      const isLast = index + 1 === this.#memberCount;
      try {
        const first = Promise.any(attempts);
        first.catch(() => undefined);
        const answer = await (isLast ? first : within(this.#clock, this.#besidesMs, first));
        if (answer !== undefined) return answer;
      } catch (error) {
        const reason = error instanceof AggregateError ? error.errors.at(-1) : error;
        throwIfFinal(reason);
        if (isLast) throw reason;
      }
    }
  }
}

/**
 * After how long, in ms, a token is to be renewed. A JWT has the time of its expiry, and no use
 * of it changes that; one of the other kind expires only when it has not been used for minutes.
 */
function renewalMsOf(token: string, epochMs: number): number {
  const [, claims = ''] = token.split('.');
  let expiry: unknown;
  try {
    expiry = (JSON.parse(Buffer.from(claims, 'base64url').toString('utf8')) as Json)['exp'];
  } catch {
    return Number.POSITIVE_INFINITY;
  }
  // Of the server's clock. If the two differ by more than its life, it is found to be stale.
  const leftMs = Number(expiry) * 1000 - epochMs;
  return leftMs > 0 ? leftMs / 2 : Number.POSITIVE_INFINITY;
}
