/**
 * What a client sends of its requests and grants: requests by a call each, all else as changes
 * (changes.ts).
 */

import { LimitError, WaitTimeoutError } from '../../api/errors.ts';
import type { RequestKey } from '../../api/outer-grants.ts';
import type { Operation } from '../../remote/protocol.ts';
import type { RequestTable } from '../../remote/request-table.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { TimerOptions } from '../../runtime/timer.ts';
import type { ChangeKind, Changes } from './changes.ts';
import type { RedisSession } from './leased-session.ts';
import { timeoutMessage } from './messages.ts';
import { keyNameOf, labelSent, linksOf } from './names.ts';
import { modeOf, type PendingRedisRequest, type ServerKey } from './pending-request.ts';
import type { ScriptReply, Scripts } from './scripts.ts';

/** Length of a set's names, at most, in UTF-16 code units. */
const linksLengthMax = 4 * 2 ** 20;
/** Time limit, ms, of the blockers of a request whose own time is over. */
const explainMsMax = 5000;
const explainTime: TimerOptions = { keepsAlive: true, isReal: true };

export interface SenderOptions {
  readonly requests: RequestTable<PendingRedisRequest>;
  readonly clock: Clock;
  readonly scripts: Scripts;
  readonly session: RedisSession;
  readonly changes: Changes;
  /** The client's name in keys. */
  readonly client: string;
  /** Grants of other clients, kept while a request of this client waits. */
  readonly outer: readonly RequestKey[];
  onAnswer(pending: PendingRedisRequest, key: ServerKey, reply: ScriptReply): void;
  onNoAnswer(pending: PendingRedisRequest, key: ServerKey, error: unknown): void;
}

export class Sender {
  readonly #options: SenderOptions;
  readonly #requests: RequestTable<PendingRedisRequest>;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#requests = options.requests;
  }

  /** Sends a request; by the same number if it may have arrived. */
  enqueue(pending: PendingRedisRequest): void {
    const { changes, client, outer, scripts } = this.#options;
    const session = this.#options.session.server;
    changes.flush();
    const { request } = pending;
    const { set, label, holding } = request.terms;
    const links = linksOf(set, client);
    if (links.length > linksLengthMax) {
      const limit = `a set takes at most ${linksLengthMax} code units to name`;
      this.#requests.refuse(request, new LimitError(limit));
      return;
    }
    pending.key ??= { session, number: session.nextNumber(), linkCount: set.length };
    pending.state = 'sent';
    const { key } = pending;
    session.idOf.set(key.number, request.id);
    const own = holding.flatMap(({ id }) => this.#requests.heldOf(id)?.key.number ?? []);
    const others = outer.map(({ session: name, number }) => `${name}/${number}`);
    const args = [
      session.id,
      `${key.number}`,
      modeOf(request),
      links,
      labelSent(label),
      labelSent(request.scope.label),
      [...own, ...others].join(' '),
    ];
    scripts.run('enqueue', args).then(
      (reply) => this.#options.onAnswer(pending, key, reply),
      (error) => this.#options.onNoAnswer(pending, key, error),
    );
  }

  async send(operation: Operation): Promise<void> {
    const { changes, client } = this.#options;
    if (operation.do === 'cancel') {
      // The latest first, so that none of them is granted what another one leaves.
      for (const id of operation.ids.toReversed())
        changes.giveBack(this.#requests.pendingOf(id)?.key);
      return;
    }
    const held = this.#requests.heldOf(operation.id);
    if (held === undefined) return;
    const { grant, key } = held;
    const kind = changeKindOf(operation);
    if (kind === 'R' || kind === 'A') key.session.idOf.delete(key.number);
    const part = operation.do === 'abandon' ? undefined : operation.part;
    const refs = part ?? (kind === 'D' ? grant.set.map(({ resource }) => resource) : undefined);
    const names = refs?.map((ref) => keyNameOf(ref, client));
    await changes.add(kind, key, names);
  }

  timeOut(pending: PendingRedisRequest, timeoutMs: number): void {
    const { changes, clock, session } = this.#options;
    const { request, key } = pending;
    const refuse = (blockers: readonly string[]): void => {
      const message = timeoutMessage(timeoutMs, blockers, clock.epochMs());
      this.#requests.refuse(request, new WaitTimeoutError(message));
    };
    if (key === undefined) {
      refuse([]);
      return;
    }
    // From here on a grant comes too late.
    key.session.idOf.delete(key.number);
    pending.key = undefined;
    pending.state = 'late';
    const limitMs = session.isUp ? explainMsMax : 0;
    pending.dispose = clock.after(limitMs, () => refuse([]), explainTime);
    void changes.add('T', key).then(refuse);
  }
}

function changeKindOf(operation: Exclude<Operation, { do: 'cancel' }>): ChangeKind {
  if (operation.do === 'downgrade') return 'D';
  if (operation.do === 'abandon') return 'A';
  return operation.part === undefined ? 'R' : 'P';
}
