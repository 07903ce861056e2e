/**
 * What is done to requests and grants: releases, cancels and the like, in order, as many as come
 * together in one call. They are kept until the server has them, or their session is over; that
 * one is done twice changes nothing (lua/change.lua).
 */

import { queueRealMicrotask } from '../../runtime/real-time.ts';
import type { Place } from './pending-request.ts';
import type { ScriptReply, Scripts } from './scripts.ts';
import type { ServerSession } from './server-session.ts';

/** Released, abandoned, cancelled, out of time, a part released, weakened. */
export type ChangeKind = 'R' | 'A' | 'C' | 'T' | 'P' | 'D';

/** Changes in a call, and names in their sets: the server does nothing else meanwhile. */
const callCountMax = 256;
const callLinksMax = 1024;

interface Change {
  readonly session: ServerSession;
  readonly number: number;
  readonly linkCount: number;
  readonly text: string;
  /** Told who was in the way, if that was asked, and can be known. */
  readonly done: (blockers: readonly string[]) => void;
}

export interface ChangesOwner {
  readonly session: ServerSession;
  readonly isUp: boolean;
  heard(reply: ScriptReply, session: ServerSession): void;
  failed(error: unknown): void;
}

export class Changes {
  readonly #scripts: Scripts;
  readonly #owner: ChangesOwner;
  #queue: Change[] = [];
  #isFlushDue = false;
  /** Nobody is to wait for the server, as it lets go of everything by itself. */
  #isHopeless = false;

  constructor(scripts: Scripts, owner: ChangesOwner) {
    this.#scripts = scripts;
    this.#owner = owner;
  }

  /** Resolves when it is done, or can have no effect, or the lease has run out meanwhile. */
  add(
    kind: ChangeKind,
    { session, number, id, linkCount }: Place,
    names: readonly string[] = [],
  ): Promise<readonly string[]> {
    if (session !== this.#owner.session) return Promise.resolve([]);
    const known = id !== undefined && (kind === 'R' || kind === 'A') ? ` ${id}` : '';
    const text = `${kind}${number}${known}${names.length > 0 ? `\n${names.join('\n')}\n` : ''}`;
    return new Promise((done) => {
      if (this.#isHopeless) done([]);
      this.#queue.push({ session, number, linkCount, text, done });
      if (this.#isFlushDue) return;
      this.#isFlushDue = true;
      queueRealMicrotask(() => this.flush());
    });
  }

  /** Sends what is due, before anything that is asked from now on. */
  flush(): void {
    this.#isFlushDue = false;
    while (this.#owner.isUp && this.#queue.length > 0) {
      void this.#call(this.#queue.splice(0, this.#callCount()));
    }
  }

  /** How many of those that are due make one call: at least one. */
  #callCount(): number {
    let linkCount = 0;
    for (const [index, change] of this.#queue.entries()) {
      linkCount += change.linkCount;
      if (index === callCountMax || (index > 0 && linkCount > callLinksMax)) return index;
    }
    return this.#queue.length;
  }

  /** The lease goes on. */
  hope(): void {
    this.#isHopeless = false;
  }

  /** The lease has run out, or the domain is closed. Should the server answer, it is yet told. */
  giveUp(): void {
    this.#isHopeless = true;
    for (const { done } of this.#queue) done([]);
  }

  /** The session is over, and with it all that was to be done in it. */
  forget(): void {
    const { session } = this.#owner;
    const over = this.#queue.filter((change) => change.session !== session);
    this.#queue = this.#queue.filter((change) => change.session === session);
    for (const { done } of over) done([]);
  }

  async #call(changes: readonly Change[]): Promise<void> {
    const { session } = this.#owner;
    const number = session.nextNumber();
    try {
      const texts = changes.map(({ text }) => text);
      const reply = await this.#scripts.run('change', [session.id, `${number}`, ...texts]);
      session.answered(number);
      this.#owner.heard(reply, session);
      const blockers = blockersIn(reply.answer.slice(1) as readonly string[]);
      for (const change of changes) change.done(blockers.get(change.number) ?? []);
    } catch (error) {
      const isOver = session !== this.#owner.session;
      if (!isOver) this.#queue.unshift(...changes);
      if (isOver || this.#isHopeless) for (const { done } of changes) done([]);
      this.#owner.failed(error);
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
