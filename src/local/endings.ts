/**
 * Sets that end together: at one moment, in one operation. Nothing that one of them frees goes to
 * another, and those behind them are granted in one arrival order (I6).
 */

import { eventFlags, outcomeOf, type RequestOutcome } from '../api/events.ts';
import { closedWhileWaiting } from '../api/refusals.ts';
import type { Core } from '../core/index.ts';
import type { Deliverable } from '../runtime/delivery.ts';
import type { LocalEvents } from './events.ts';
import { LocalGrant } from './grant.ts';
import type { Owners, OwnObject } from './owners.ts';
import { endWaiting, type LocalRequest } from './request.ts';

/** What endings need of the operations that they belong to. */
interface EndingSource {
  readonly core: Core;
  readonly delivery: { direct(item: Deliverable): void };
  readonly events: LocalEvents;
  readonly notices: { readonly watchdog: { stop(): void } | undefined };
  readonly port: {
    readonly owners: Owners;
    readonly retries: { later(error: unknown, task: () => void): void };
  };
  begin(): void;
  commit(): void;
}

export class Endings {
  readonly #source: EndingSource;

  constructor(source: EndingSource) {
    this.#source = source;
  }

  /** Requests end, each for its own reason: now, or as soon as an operation can begin. */
  refuseInTime(
    requests: Iterable<LocalRequest>,
    reasonOf: (request: LocalRequest) => unknown,
  ): void {
    const source = this.#source;
    const all = [...requests];
    try {
      source.begin();
    } catch (error) {
      source.port.retries.later(error, () => this.refuseInTime(all, reasonOf));
      return;
    }
    this.#refuse(all, reasonOf);
    source.commit();
  }

  /** Ends these, as their session ends, or for a reason given. Within an operation. */
  endAll(
    objects: readonly OwnObject[],
    others: readonly number[] = [],
    died = false,
    given?: unknown,
  ): void {
    const source = this.#source;
    const { core, delivery } = source;
    const waiting = this.#waitingOf(objects.filter(isRequest));
    const grants = objects.filter((object) => object instanceof LocalGrant && object.isHeld);
    const held = new Set([...grants.map(({ set }) => set), ...others]);
    for (const { set } of waiting) held.delete(set);
    if (waiting.length + held.size === 0) return;
    const reason = given ?? closedWhileWaiting();
    const outcome = outcomeOf(reason);
    if (eventFlags.hasSubscribers) {
      this.#emitMissed(waiting, outcome);
      const cause = died ? 'died' : 'closed';
      for (const set of held) source.events.lost(set, core.token(set), cause);
    }
    this.#endTogether(waiting, [...held], died);
    for (const request of waiting) request.refused(reason, true);
    for (const grant of grants as readonly LocalGrant[]) {
      grant.scope.tracked?.delete(grant);
      if (given !== undefined) grant.details().ended = { reason: given };
      // Before its successors: direct deliveries run as the operation ends.
      delivery.direct(grant);
    }
  }

  /** Ends all that was requested here; `died`: as left by a dead holder. */
  endDomain(died = false): void {
    const source = this.#source;
    const { owners } = source.port;
    source.begin();
    this.endAll(owners.all(), owners.sets(), died);
    source.commit();
    source.notices.watchdog?.stop();
  }

  /** Ends what its owner wants no more, or has `died` with. Within an operation. */
  endUnwanted(ended: readonly OwnObject[], died: boolean): void {
    const { delivery } = this.#source;
    const waiting = this.#waitingOf(ended.filter(isRequest));
    const grants = ended.filter((each) => each instanceof LocalGrant);
    const held: number[] = [];
    const ending = new Set(grants.filter(({ isHeld }) => isHeld));
    if (eventFlags.hasSubscribers) {
      const { events } = this.#source;
      events.atOneMoment(() => {
        this.#emitMissed(waiting, 'cancelled');
        for (const { set, ownToken } of ending) events.released(set, ownToken, died);
      });
    }
    for (const grant of ending) {
      held.push(grant.set);
      grant.forgetSet(died);
      if (died) delivery.direct(grant);
    }
    this.#endTogether(waiting, held, died);
  }

  #refuse(requests: Iterable<LocalRequest>, reasonOf: (request: LocalRequest) => unknown): void {
    const waiting = this.#waitingOf(requests);
    // While all of them are there: a reason names the blockers.
    const reasons = waiting.map(reasonOf);
    if (waiting.length === 0) return;
    if (eventFlags.hasSubscribers) this.#emitMissed(waiting, outcomeOf(reasons[0]));
    this.#endTogether(waiting, [], false);
    for (const [index, request] of waiting.entries()) request.refused(reasons[index]);
  }

  #endTogether(waiting: readonly LocalRequest[], held: readonly number[], died: boolean): void {
    const { core, port } = this.#source;
    const sets = [...held];
    for (const request of waiting) {
      sets.push(request.set);
      endWaiting(request);
    }
    for (const set of sets) port.owners.end(set);
    core.removeAll(sets, died);
  }

  /** The latest first, as core ends them: the blockers of a request are earlier. */
  #emitMissed(waiting: readonly LocalRequest[], outcome: RequestOutcome): void {
    for (const { set } of waiting.toReversed()) this.#source.events.missed(set, outcome);
  }

  /** Those that wait, in arrival order. */
  #waitingOf(requests: Iterable<LocalRequest>): readonly LocalRequest[] {
    const { core } = this.#source;
    const waiting = [...requests].filter(({ set }) => set !== 0);
    return waiting.sort((a, b) => core.arrival(a.set) - core.arrival(b.set));
  }
}

function isRequest(object: OwnObject): object is LocalRequest {
  return !(object instanceof LocalGrant);
}
