/**
 * Observers wait until the sets that conflict with theirs now have ended. Only this client knows
 * them, and they delay no request: each has a list of the sets that are left, and is settled when
 * that is empty. Sets that come later are on no list, but for those that steal.
 */

import { WaitTimeoutError } from '../../api/errors.ts';
import type { RemoteRequest } from '../../remote/request.ts';
import type { RequestTable } from '../../remote/request-table.ts';
import { describeOwnerOf } from '../../report/blockers.ts';
import { quote } from '../../runtime/escape.ts';
import type { DerivedState } from './derived-state.ts';
import type { LiveSet } from './live-set.ts';
import type { PendingEtcdRequest } from './pending-request.ts';
import type { ReplicaDelta } from './replica.ts';

type Requests = Pick<RequestTable<PendingEtcdRequest>, 'endUngranted' | 'refuse'>;

interface Observer {
  readonly request: RemoteRequest;
  readonly session: string;
  readonly left: Set<LiveSet>;
}

export class Observers {
  readonly #state: DerivedState;
  readonly #requests: Requests;
  /** By the request's id. */
  readonly #observers = new Map<number, Observer>();

  constructor(state: DerivedState, requests: Requests) {
    this.#state = state;
    this.#requests = requests;
  }

  /** Waits for the sets that conflict at this moment. */
  add(request: RemoteRequest, session: string): void {
    const { set, timeoutMs } = request.terms;
    const left = new Set<LiveSet>();
    for (const live of this.#state.inTheWay(set, session)) {
      // Later requests of this client came later, but for those that steal.
      const isEarlier = live.session !== session || live.number < request.id;
      if (isEarlier || live.entry.steal === true) left.add(live);
    }
    if (left.size === 0) {
      this.#requests.endUngranted(request);
      return;
    }
    this.#observers.set(request.id, { request, session, left });
    if (timeoutMs === 0) this.timeOut(request, 0);
  }

  remove(request: RemoteRequest): void {
    this.#observers.delete(request.id);
  }

  update({ added, removed, updated }: ReplicaDelta): void {
    const stealing = added.filter(({ entry }) => entry.steal === true);
    for (const { request, session, left } of [...this.#observers.values()]) {
      // A set that steals comes before all that came before it, observers too.
      if (stealing.length > 0) {
        const inTheWay = this.#state.inTheWay(request.terms.set, session);
        for (const live of stealing) if (inTheWay.has(live)) left.add(live);
      }
      for (const live of removed) left.delete(live);
      for (const live of updated) {
        if (left.has(live) && !this.#state.inTheWay(request.terms.set, session).has(live)) {
          left.delete(live);
        }
      }
      if (left.size === 0) this.#requests.endUngranted(request);
    }
  }

  /** Its time is over, perhaps before the sets that it waits for are known. */
  timeOut(request: RemoteRequest, timeoutMs: number): void {
    const [live] = this.#observers.get(request.id)?.left ?? [];
    if (live === undefined) {
      this.#refuse(request, timeoutMs, 'etcd has not yet reported what is held');
      return;
    }
    const names = live.entry.parts.slice(0, 3).map(({ resource }) => resource);
    const what = quote(names.map(String).join(', '));
    this.#refuse(request, timeoutMs, `${what} is ${describeOwnerOf(this.#state, live.set)}`);
  }

  #refuse(request: RemoteRequest, timeoutMs: number, why: string): void {
    const error = new WaitTimeoutError(`not settled within ${timeoutMs} ms: ${why}`);
    this.#requests.refuse(request, error);
  }
}
