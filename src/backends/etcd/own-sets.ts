/** The sets of this client's requests and grants, as it changes them in the log. */

import type { RemoteGrant } from '../../remote/grant.ts';
import type { RequestTable } from '../../remote/request-table.ts';
import type { RemoteRef, RemoteSet } from '../../remote/resources.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { DerivedState } from './derived-state.ts';
import type { SetEntry } from './entries.ts';
import { encodeResource, type Keys } from './keys.ts';
import type { LiveSet } from './live-set.ts';
import { OwnSet } from './own-set.ts';
import type { PendingEtcdRequest } from './pending-request.ts';
import type { RecoveredFlags } from './recovered-flags.ts';
import type { SessionKeeper } from './session-keeper.ts';
import { weakened } from './units.ts';

export interface OwnSetsOptions {
  readonly requests: RequestTable<PendingEtcdRequest>;
  readonly keeper: SessionKeeper;
  readonly flags: RecoveredFlags;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly state: DerivedState;
  /** SESSION/NUMBER of grants of other clients, kept while a request of this client waits. */
  readonly outer: readonly string[];
}

export class OwnSets {
  readonly #options: OwnSetsOptions;

  constructor(options: OwnSetsOptions) {
    this.#options = options;
  }

  /** What this client still wants, or has, of a set in the log. */
  of({ session, number }: LiveSet): OwnSet | undefined {
    const { keeper, requests } = this.#options;
    if (session !== keeper.id) return undefined;
    return requests.pendingOf(number)?.key ?? requests.heldOf(number)?.key;
  }

  /** The request of a set in the log that is still wanted. */
  pendingOf({ session, number }: LiveSet): PendingEtcdRequest | undefined {
    const { keeper, requests } = this.#options;
    const pending = session === keeper.id ? requests.pendingOf(number) : undefined;
    return pending?.key && pending;
  }

  /** Puts a new set at the end of the queues. */
  put(pending: PendingEtcdRequest): void {
    const { keeper, keys, clock, outer } = this.#options;
    const session = keeper.present;
    if (session === undefined) return;
    const { request } = pending;
    const { set, label, holding, steal } = request.terms;
    const { label: scope } = request.scope;
    const kept = [...holding.filter(({ isHeld }) => isHeld).map(({ id }) => id), ...outer];
    const entry: SetEntry = {
      parts: set,
      at: 0,
      since: clock.epochMs(),
      ...(label !== undefined && { label }),
      ...(scope !== undefined && { session: scope }),
      ...(kept.length > 0 && { holding: kept }),
      ...(steal === true && { steal }),
    };
    const own = new OwnSet(keys.set(session.id, request.id), request.id, entry);
    pending.key = own;
    void session.outbox.update(own);
  }

  /** A grant holds less than before. */
  async weaken(own: OwnSet, grant: RemoteGrant): Promise<void> {
    const left = new Set(this.#wholesOf(grant.set));
    for (const ref of this.#wholesOf(own.entry.parts)) {
      if (!left.has(ref)) this.flag(own, ref, false);
    }
    own.entry = weakened(own.entry, grant.set, (ref) => grant.unitsHeld.has(ref));
    await this.#update(own);
  }

  /** A set ends, in whatever state it is. */
  async remove(id: number): Promise<void> {
    const { requests, keeper } = this.#options;
    const pending = requests.pendingOf(id);
    const held = requests.heldOf(id);
    const own = pending?.key ?? held?.key;
    if (own === undefined) return;
    if (pending !== undefined) pending.key = undefined;
    // An exclusive holder that ends in good order leaves its resources whole.
    if (held !== undefined) {
      for (const ref of this.#wholesOf(own.entry.parts)) {
        if (!own.flags.has(encodeResource(ref, keeper.id))) this.flag(own, ref, false);
      }
    }
    own.isEnding = true;
    await this.#update(own);
  }

  /** A grant is revoked, or given up: what it holds exclusive is flagged. */
  flagAll(own: OwnSet): void {
    for (const ref of this.#wholesOf(own.entry.parts)) this.flag(own, ref, true);
  }

  flag(own: OwnSet, ref: RemoteRef, isSet: boolean): void {
    this.#options.flags.flag(own, ref, isSet, this.#options.keeper.id);
  }

  /** The set of a request is granted: it records the numbers of its units. */
  record(own: OwnSet): void {
    if (own.isEnding) return;
    own.isRecording = true;
    void this.#update(own);
  }

  /** A grant goes on, though the capacity has changed. */
  keep(own: OwnSet): void {
    if (own.isEnding || own.entry.held !== undefined) return;
    own.entry = { ...own.entry, held: [] };
    void this.#update(own);
  }

  #wholesOf(parts: RemoteSet): readonly RemoteRef[] {
    return this.#options.state.wholesOf(parts, this.#options.keeper.id);
  }

  async #update(own: OwnSet): Promise<void> {
    await this.#options.keeper.present?.outbox.update(own);
  }
}
