/**
 * Changes of requests and grants: releases, cancels and the like, in order; those that come
 * together are one call. They are kept until the server has them, or their session is over; a
 * change that is done twice changes nothing (lua/change.lua).
 */

import { queueRealMicrotask } from '../../runtime/real-time.ts';
import type { RedisSession } from './leased-session.ts';
import type { ServerKey } from './pending-request.ts';
import type { ScriptReply, Scripts } from './scripts.ts';
import type { ServerSession } from './server-session.ts';

/** Release, abandon, cancel, time out, release of a part, downgrade. */
export type ChangeKind = 'R' | 'A' | 'C' | 'T' | 'P' | 'D';

/** Changes in a call, and names in their sets: the server does nothing else meanwhile. */
const callCountMax = 256;
const callLinksMax = 1024;

interface Change {
  readonly session: ServerSession;
  readonly number: number;
  readonly linkCount: number;
  readonly text: string;
  /** Receives the blockers of a request that timed out, as far as they are known. */
  readonly done: (blockers: readonly string[]) => void;
}

export interface ChangesOptions {
  /** Nothing is sent while the server does not answer. */
  readonly session: Pick<RedisSession, 'server' | 'isUp'>;
  onReply(reply: ScriptReply, session: ServerSession): void;
  onError(error: unknown): void;
}

export class Changes {
  readonly #scripts: Scripts;
  readonly #options: ChangesOptions;
  #queue: Change[] = [];
  #isFlushDue = false;
  /** Changes resolve without an answer: the server ends all that the session has by itself. */
  #isGivenUp = false;

  constructor(scripts: Scripts, options: ChangesOptions) {
    this.#scripts = scripts;
    this.#options = options;
  }

  /** Resolves when it is done, or can have no effect, or the lease has run out meanwhile. */
  add(
    kind: ChangeKind,
    { session, number, id, linkCount }: ServerKey,
    names: readonly string[] = [],
  ): Promise<readonly string[]> {
    if (session !== this.#options.session.server) return Promise.resolve([]);
    const known = id !== undefined && (kind === 'R' || kind === 'A') ? ` ${id}` : '';
    const text = `${kind}${number}${known}${names.length > 0 ? `\n${names.join('\n')}\n` : ''}`;
    return new Promise((done) => {
      if (this.#isGivenUp) done([]);
      this.#queue.push({ session, number, linkCount, text, done });
      if (this.#isFlushDue) return;
      this.#isFlushDue = true;
      queueRealMicrotask(() => this.flush());
    });
  }

  /** A request may be at the server, and is not wanted: its grant is given back, if it has one. */
  giveBack(key: ServerKey | undefined): void {
    if (key === undefined) return;
    key.session.idOf.delete(key.number);
    void this.add('C', key);
  }

  /** Sends what is due, before any request that follows. */
  flush(): void {
    this.#isFlushDue = false;
    while (this.#options.session.isUp && this.#queue.length > 0) {
      void this.#call(this.#queue.splice(0, this.#callCount()));
    }
  }

  /** Number of due changes that make one call: at least one. */
  #callCount(): number {
    let linkCount = 0;
    for (const [index, change] of this.#queue.entries()) {
      linkCount += change.linkCount;
      if (index === callCountMax || (index > 0 && linkCount > callLinksMax)) return index;
    }
    return this.#queue.length;
  }

  /** The lease is renewed. */
  resume(): void {
    this.#isGivenUp = false;
  }

  /** The lease has run out, or the domain is closed. Changes are sent should the server answer. */
  giveUp(): void {
    this.#isGivenUp = true;
    for (const { done } of this.#queue) done([]);
  }

  /** The session is over, and its changes with it. */
  forget(): void {
    const session = this.#options.session.server;
    const over = this.#queue.filter((change) => change.session !== session);
    this.#queue = this.#queue.filter((change) => change.session === session);
    for (const { done } of over) done([]);
  }

  async #call(changes: readonly Change[]): Promise<void> {
    const session = this.#options.session.server;
    const number = session.nextNumber();
    try {
      const texts = changes.map(({ text }) => text);
      const reply = await this.#scripts.run('change', [session.id, `${number}`, ...texts]);
      session.answered(number);
      this.#options.onReply(reply, session);
      const blockers = blockersIn(reply.answer.slice(1) as readonly string[]);
      for (const change of changes) change.done(blockers.get(change.number) ?? []);
    } catch (error) {
      const isOver = session !== this.#options.session.server;
      if (!isOver) this.#queue.unshift(...changes);
      if (isOver || this.#isGivenUp) for (const { done } of changes) done([]);
      this.#options.onError(error);
    }
  }
}

function blockersIn(texts: readonly string[]): ReadonlyMap<number, readonly string[]> {
  const blockers = new Map<number, readonly string[]>();
  for (const text of texts) {
    const [number, ...lines] = text.split('\n');
    blockers.set(Number(number), lines);
  }
  return blockers;
}
