/**
 * What the server reports of the requests and grants of a client, as events: answers to calls, and
 * notifications, which come with answers or by the client's channel, in any order. Audits
 * (audit.ts) report what was missed.
 */

import { LimitError, UnavailableError, WaitTimeoutError } from '../../api/errors.ts';
import { lostError } from '../../remote/lost-error.ts';
import type { RequestTable } from '../../remote/request-table.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Changes } from './changes.ts';
import type { RedisSession } from './leased-session.ts';
import { deadlockError, timeoutMessage } from './messages.ts';
import { linksOf, nameOf } from './names.ts';
import type { PendingRedisRequest, ServerKey } from './pending-request.ts';
import type { Reach } from './reach.ts';
import { type ScriptReply, strangeAnswer } from './scripts.ts';
import type { ServerSession } from './server-session.ts';
import type { Warnings } from './warnings.ts';

export interface ReceiverOptions {
  readonly requests: RequestTable<PendingRedisRequest>;
  readonly clock: Clock;
  readonly session: RedisSession;
  readonly changes: Changes;
  readonly reach: Pick<Reach, 'failed'>;
  readonly warnings: Warnings;
  /** The client's name in keys. */
  readonly client: string;
  /** Sends a request, if the server answers. */
  send(pending: PendingRedisRequest): void;
  /** The time of a request is over. */
  timeOut(pending: PendingRedisRequest, timeoutMs: number): void;
}

export class Receiver {
  readonly #options: ReceiverOptions;
  readonly #requests: RequestTable<PendingRedisRequest>;
  readonly #session: RedisSession;

  constructor(options: ReceiverOptions) {
    this.#options = options;
    this.#requests = options.requests;
    this.#session = options.session;
  }

  /** The answer to a request. */
  answered(pending: PendingRedisRequest, key: ServerKey, reply: ScriptReply): void {
    key.session.answered(key.number);
    const [word, ...rest] = reply.answer as readonly string[];
    const isWanted = this.#isWanted(pending, key);
    this.#requests.delivery.asOne(() => {
      // A stealing request is granted after the losses, and before the grants that follow it.
      const lines = reply.notifications.split('\n');
      for (const line of lines) if (line.includes('\tlost\t')) this.#notified(line, key.session);
      if (isWanted) this.#receiveAnswer(pending, word, rest);
      this.reply(reply, key.session);
    });
  }

  #receiveAnswer(
    pending: PendingRedisRequest,
    word: string | undefined,
    rest: readonly string[],
  ): void {
    const { set, label, how, timeoutMs } = pending.request.terms;
    switch (word) {
      case 'granted':
        this.granted(pending, (rest[0] ?? '').split('\t'));
        break;
      case 'waiting':
        if (timeoutMs !== 0) this.waiting(pending);
        else {
          pending.state = 'waiting';
          this.#options.timeOut(pending, 0);
        }
        break;
      case 'settled':
        this.settled(pending);
        break;
      case 'denied':
        if (how === 'try') this.#endUngranted(pending);
        else {
          const message = timeoutMessage(0, rest, this.#options.clock.epochMs());
          this.#endUngranted(pending, new WaitTimeoutError(message));
        }
        break;
      case 'deadlock': {
        const links = linksOf(set, this.#options.client);
        this.#endUngranted(pending, deadlockError(links, label, rest));
        break;
      }
      case 'limit':
        this.#endUngranted(
          pending,
          new LimitError('too many wait for one another to find a cycle'),
        );
        break;
      case 'over':
        this.retry(pending);
        break;
      case 'expired':
        pending.state = 'due';
        this.#session.heartbeatNow();
        break;
      default:
        this.#endUngranted(pending, strangeAnswer());
    }
  }

  /** The server has nothing of it any more. Without a reason the request is denied. */
  #endUngranted({ request: { id }, key }: PendingRedisRequest, reason?: unknown): void {
    key?.session.idOf.delete(key.number);
    this.#requests.receive(
      reason === undefined ? { is: 'denied', id } : { is: 'refused', id, reason },
    );
  }

  /** A request has no answer: it may have arrived. */
  unanswered(pending: PendingRedisRequest, key: ServerKey, error: unknown): void {
    if (this.#isWanted(pending, key)) {
      if (!(error instanceof UnavailableError)) {
        this.#endUngranted(pending, error);
        return;
      }
      pending.state = 'due';
    }
    this.#options.reach.failed(error);
  }

  /** Whether an answer is to a request that is still pending. */
  #isWanted(pending: PendingRedisRequest, key: ServerKey): boolean {
    return pending.key === key && this.#requests.isPending(pending.request);
  }

  /** A grant, from its id, token, and recovered names. */
  granted(pending: PendingRedisRequest, [setId, token, ...names]: readonly string[]): void {
    // Whether it is held cannot be known: the next heartbeat is followed by an audit.
    if (!this.#session.isValid) {
      this.#session.isAuditDue = true;
      pending.state = 'waiting';
      return;
    }
    const { id } = pending.request;
    if (pending.key !== undefined) pending.key.id = setId;
    const recovered = names.map(nameOf);
    this.#requests.receive({ is: 'granted', id, token: Number(token), recovered });
    if (pending.isRevoked) this.lost(id);
  }

  /** What was observed has no conflict left. */
  settled({ request, key }: PendingRedisRequest): void {
    this.#options.changes.giveBack(key);
    this.#requests.receive({ is: 'settled', id: request.id });
  }

  /** The server has it in a queue. */
  waiting(pending: PendingRedisRequest): void {
    pending.state = 'waiting';
    this.#requests.receive({ is: 'waiting', id: pending.request.id });
  }

  lost(id: number, reason?: unknown, cause: 'stolen' | 'died' = 'stolen'): void {
    const key = this.#requests.heldOf(id)?.key;
    key?.session.idOf.delete(key.number);
    this.#requests.receive({ is: 'lost', id, reason, cause });
  }

  /** The lease has ended (`isKnown`), or may have. */
  lostAll(isKnown: boolean): void {
    const how = isKnown ? 'its lease ended' : 'its lease may have run out: redis did not answer';
    this.#requests.delivery.asOne(() => {
      for (const { grant, key } of this.#requests.held) {
        // Should the server still have it, the next holder recovers it.
        void this.#options.changes.add('A', key);
        this.lost(grant.id, lostError(grant.token, `is lost, as ${how}`), 'died');
      }
    });
  }

  /** The server has no trace of it, and it is sent by another number. */
  retry(pending: PendingRedisRequest): void {
    const { key } = pending;
    key?.session.idOf.delete(key.number);
    this.forgetKey(pending);
    this.#options.send(pending);
  }

  /** It is due, by another number, unless its time is over. */
  forgetKey(pending: PendingRedisRequest): void {
    if (pending.state === 'late') return;
    pending.key = undefined;
    pending.state = 'due';
    pending.isRevoked = false;
  }

  /** The server has a request of that number, and this client does not. */
  giveBackNumber(session: ServerSession, number: number): void {
    this.#options.changes.giveBack({ session, number, linkCount: 1 });
  }

  /** What came by the client's channel. */
  message(text: string): void {
    const { server } = this.#session;
    const [session, ...lines] = text.split('\n');
    if (session !== server.id) return;
    this.#requests.delivery.asOne(() => {
      for (const line of lines) this.#notified(line, server);
    });
  }

  /** What came with an answer. */
  reply({ notifications, damage, isUnfinished }: ScriptReply, session: ServerSession): void {
    if (isUnfinished) this.#session.heartbeatNow();
    if (damage !== '') {
      this.#options.warnings.warn(`a key of kds is damaged, or not a key of kds: ${damage}`);
    }
    if (notifications === '') return;
    this.#requests.delivery.asOne(() => {
      for (const line of notifications.split('\n')) this.#notified(line, session);
    });
  }

  #notified(line: string, session: ServerSession): void {
    const [ordinal, kind, number, ...rest] = line.split('\t');
    if (session !== this.#session.server || !session.receive(Number(ordinal))) return;
    const id = session.idOf.get(Number(number));
    if (id === undefined) return;
    const pending = this.#requests.pendingOf(id);
    if (kind === 'lost') {
      if (pending === undefined) this.lost(id);
      else pending.isRevoked = true;
    } else if (pending !== undefined) {
      if (kind === 'granted') this.granted(pending, rest);
      else this.settled(pending);
    }
  }
}
