/**
 * The inbox of an agent, in a slot of core's words: sets of its own that an operation of another
 * agent has granted or taken back, in the order in which that happened. Locked, but for
 * {@link Inbox.takeEarly}.
 */

import { eventFlags } from '../../api/events.ts';
import { type Core, GRANTED } from '../../core/index.ts';
import { save } from '../../core/journal.ts';
import * as L from '../../core/layout.ts';
import type { GrantScope, LocalGrant } from '../../local/grant.ts';
import { endWaiting, type LocalRequest } from '../../local/request.ts';
import type { Agent } from './agent.ts';
import * as C from './control.ts';
import { inboxOf } from './root.ts';

const INBOX_FIRST = 2;
const INBOX_LAST = 3;
/** Of a set in an inbox: the next one there. It is granted, so it has nothing pending. */
const SET_NEXT = L.SET_PENDING;

/** What an inbox needs of the operations that empty it. */
interface InboxSource {
  readonly core: Core;
  readonly events: { granted(grant: LocalGrant): void };
  readonly notices: {
    granted(set: number): void;
    lost(set: number): void;
    createGrant(
      scope: GrantScope,
      set: number,
      state: number,
      label: string | undefined,
    ): LocalGrant;
  };
  readonly port: { readonly owners: { take(set: number): unknown } };
}

export class Inbox {
  readonly #agent: Agent;
  readonly #source: InboxSource;
  /** A set in the inbox whose grant has been taken early. */
  #early = 0;

  constructor(agent: Agent, source: InboxSource) {
    this.#agent = agent;
    this.#source = source;
  }

  get isEmpty(): boolean {
    return this.#words[inboxOf(this.#agent.number) | INBOX_FIRST] === L.NOBODY;
  }

  /** Reports all that is in it. */
  take(): void {
    const { notices } = this.#source;
    for (;;) {
      const set = fetch(this.#words, this.#agent.number);
      if (set === 0) return;
      const isEarly = set === this.#early;
      if (isEarly) this.#early = 0;
      if ((this.#words[set | L.FLAGS] & L.SET_LOST) !== 0) notices.lost(set);
      else if (!isEarly) notices.granted(set);
    }
  }

  /**
   * The grant that a blocked thread has been notified of, without the lock: of a granted set
   * nothing changes that is read here. A grant with details is reported with the lock.
   */
  takeEarly(request: LocalRequest): LocalGrant | undefined {
    const { set, scope, terms } = request;
    const { core, notices, port } = this.#source;
    const { control, number } = this.#agent;
    const granted = Atomics.load(control, C.wordsOfAgent(number) + C.GRANTED_SET);
    const state = granted === set ? core.state(set) : 0;
    if (state !== GRANTED) return undefined;
    this.#early = set;
    port.owners.take(set);
    endWaiting(request);
    const grant = notices.createGrant(scope, set, state, terms.label);
    if (eventFlags.hasSubscribers) this.#source.events.granted(grant);
    return grant;
  }

  get #words(): Int32Array {
    return this.#source.core.memory.words;
  }
}

/** Puts a set into the inbox of its agent, if it is not there yet. */
export function post(w: Int32Array, agent: number, set: number): void {
  if (isPosted(w, set)) return;
  const slot = inboxOf(agent);
  const last = w[slot | INBOX_LAST];
  save(w, slot);
  save(w, set);
  w[set | L.FLAGS] |= L.SET_POSTED;
  w[set | SET_NEXT] = L.NOBODY;
  if (last === L.NOBODY) {
    w[slot | INBOX_FIRST] = set;
  } else {
    save(w, last);
    w[last | SET_NEXT] = set;
  }
  w[slot | INBOX_LAST] = set;
}

/** Whether it is in an inbox, so that its agent has yet to be notified. */
export function isPosted(w: Int32Array, set: number): boolean {
  return (w[set | L.FLAGS] & L.SET_POSTED) !== 0;
}

/** The next set from an agent's inbox, or 0. */
function fetch(w: Int32Array, agent: number): number {
  const slot = inboxOf(agent);
  const set = w[slot | INBOX_FIRST];
  if (set === L.NOBODY) return set;
  save(w, slot);
  save(w, set);
  const next = w[set | SET_NEXT];
  w[set | SET_NEXT] = 0;
  w[set | L.FLAGS] &= ~L.SET_POSTED;
  w[slot | INBOX_FIRST] = next;
  if (next === L.NOBODY) w[slot | INBOX_LAST] = L.NOBODY;
  return set;
}

/** Whatever is in it is about to end. */
export function emptyInbox(w: Int32Array, agent: number): void {
  const slot = inboxOf(agent);
  save(w, slot);
  w[slot | INBOX_FIRST] = L.NOBODY;
  w[slot | INBOX_LAST] = L.NOBODY;
}
