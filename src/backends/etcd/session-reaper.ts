/**
 * What the dead leave behind is put away by the living.
 *
 * When a session's key is gone, its sets are still there, in line and in everybody's way, since
 * whether they were held can be seen only while they are there. Somebody then deletes them, and
 * marks what was held exclusive. Anybody may, and more than one may try: each set goes once, as a
 * transaction asks that it be there, as it was, and its session not. The client that came first
 * does it at once, and the others in turn if it does not.
 */

import type { Clock } from '../../runtime/clock.ts';
import { burialOf, linked, operationsMax, uncounted } from './batch.ts';
import { type Compare, changedAt, createdAt, type Operation } from './calls.ts';
import type { EtcdConnection } from './connection.ts';
import type { Keys } from './keys.ts';
import type { LiveSet } from './live-set.ts';
import type { Log } from './log.ts';
import { isOutOfSpace } from './refusal.ts';

/** Each client in turn waits for so much longer, in ms, whether others do it. */
const turnMs = 200;
const turnsMax = 10;
/** After so long, in ms, what has failed is tried again. */
const retryMs = 1000;
const callMsMax = 5000;

export class Burials {
  readonly #connection: EtcdConnection;
  readonly #keys: Keys;
  readonly #clock: Clock;
  readonly #log: Log;
  #cancel: (() => void) | undefined;
  #isBusy = false;
  #isOpen = true;

  constructor(connection: EtcdConnection, keys: Keys, clock: Clock, log: Log) {
    this.#connection = connection;
    this.#keys = keys;
    this.#clock = clock;
    this.#log = log;
  }

  /** Looks whether somebody has died, in turn: `own` is this client's session. */
  look(own: string): void {
    if (!this.#isOpen || this.#isBusy || this.#cancel !== undefined) return;
    if (this.#dead().length > 0) this.#buryLater(own, this.#turnOf(own) * turnMs);
  }

  /** Puts away what a thief has robbed, if its own client has not done so. Never rejects. */
  async bury(robbed: readonly LiveSet[]): Promise<void> {
    try {
      for (const live of robbed) await this.#bury([live], false);
    } catch {
      // Its own client does it when it reaches etcd; or if that one has died, whoever buries it.
    }
  }

  close(): void {
    this.#isOpen = false;
    this.#cancel?.();
  }

  #buryLater(own: string, delayMs: number): void {
    this.#cancel = this.#clock.after(delayMs, () => {
      this.#cancel = undefined;
      void this.#buryDead(own);
    });
  }

  async #buryDead(own: string): Promise<void> {
    this.#isBusy = true;
    let hasFailed = false;
    try {
      // Whoever is known to be dead was dead before this, and so was granted all that it ever
      // acted on: what the watch has left out of that would be put away without its mark.
      await this.#log.reach(callMsMax);
      for (let dead = this.#dead(); dead.length > 0 && this.#isOpen; dead = this.#dead()) {
        await this.#buryAll(dead);
        await this.#log.reach(callMsMax);
      }
    } catch {
      // Etcd is out of reach: whoever reaches it does it, or this one later.
      hasFailed = true;
    }
    this.#isBusy = false;
    if (hasFailed && this.#isOpen) this.#buryLater(own, retryMs);
    else this.look(own);
  }

  /** @throws what any of them fails with; a lack of space keeps none of the others from it. */
  async #buryAll(dead: readonly LiveSet[]): Promise<void> {
    let refusal: unknown;
    for (const some of inParts(dead)) {
      try {
        await this.#bury(some, true);
      } catch (error) {
        if (!isOutOfSpace(error)) throw error;
        refusal = error;
      }
    }
    if (refusal !== undefined) throw refusal;
  }

  async #bury(sets: readonly LiveSet[], areDead: boolean): Promise<void> {
    try {
      await this.#buryWhole(sets, areDead, linked);
    } catch (error) {
      if (!isOutOfSpace(error)) throw error;
      // What needs a mark stays, so that the next holder is warned; all else needs no space.
      const unmarked = sets.filter((live) => burialOf(this.#keys, live).length === 1);
      if (unmarked.length > 0) await this.#buryWhole(unmarked, areDead, uncounted);
      if (unmarked.length < sets.length) throw error;
    }
  }

  async #buryWhole(
    sets: readonly LiveSet[],
    areDead: boolean,
    asTransaction: typeof linked | typeof uncounted,
  ): Promise<void> {
    const compares: Compare[] = [];
    const operations: Operation[] = [];
    for (const session of areDead ? new Set(sets.map((live) => live.session)) : []) {
      compares.push(createdAt(this.#keys.session(session), 0));
    }
    for (const live of sets) {
      const there = changedAt(live.key, live.modRevision);
      compares.push(there);
      const burial = burialOf(this.#keys, live);
      if (burial.length > operationsMax) await this.#markFirst(live, there);
      operations.push(...(burial.length > operationsMax ? burial.slice(-1) : burial));
    }
    await this.#send(compares, asTransaction(this.#keys, operations));
  }

  async #send(compare: readonly Compare[], success: readonly Operation[]): Promise<void> {
    const options = { failsWithoutSpace: true };
    await this.#connection.call('/v3/kv/txn', { compare, success }, callMsMax, options);
  }

  /** More than one transaction can do: nobody is granted any of it while the set is there. */
  async #markFirst(live: LiveSet, there: Compare): Promise<void> {
    const marks = burialOf(this.#keys, live).slice(0, -1);
    for (let from = 0; from < marks.length; from += operationsMax) {
      const success = linked(this.#keys, marks.slice(from, from + operationsMax));
      await this.#send([there], success);
    }
  }

  #dead(): readonly LiveSet[] {
    const { replica } = this.#log;
    return [...replica.sets.values()].filter((live) => replica.isDead(live));
  }

  /** How many clients have come before this one. */
  #turnOf(own: string): number {
    const { sessions } = this.#log.replica;
    const createRevision = sessions.get(own)?.createRevision ?? Number.POSITIVE_INFINITY;
    let turn = 0;
    for (const session of sessions.values()) if (session.createRevision < createRevision) turn++;
    return Math.min(turn, turnsMax);
  }
}

/** The burials of each part fit into one transaction, but for single sets that are larger. */
function inParts(sets: readonly LiveSet[]): readonly (readonly LiveSet[])[] {
  const parts: LiveSet[][] = [];
  let count = operationsMax;
  for (const live of sets) {
    const more = 3 + live.entry.exclusive.length;
    if (count + more > operationsMax) {
      parts.push([]);
      count = 0;
    }
    count += more;
    parts.at(-1)?.push(live);
  }
  return parts;
}
