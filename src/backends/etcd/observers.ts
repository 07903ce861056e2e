/**
 * Observers wait until the sets that are in their way now have ended. Only this client knows them,
 * and they delay no request: each has a list of the sets that are older than it, and of its parts
 * that these block; a part that they do not block once is settled. Sets that come later are on no
 * list, but for those that steal.
 */

import { WaitTimeoutError } from '../../api/errors.ts';
import type { RemoteRequest } from '../../remote/request.ts';
import type { RequestTable } from '../../remote/request-table.ts';
import type { RemoteSet } from '../../remote/resources.ts';
import type { DerivedState } from './derived-state.ts';
import type { LiveSet } from './live-set.ts';
import type { PendingEtcdRequest } from './pending-request.ts';
import type { ReplicaDelta } from './replica.ts';

type Requests = Pick<RequestTable<PendingEtcdRequest>, 'endUngranted' | 'refuse'>;

interface Observer {
  readonly request: RemoteRequest;
  readonly session: string;
  readonly older: Set<LiveSet>;
  /** Parts that are blocked. */
  left: RemoteSet;
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
    const older = new Set<LiveSet>();
    for (const live of this.#state.inTheWay(set, session)) {
      // Later requests of this client came later, but for those that steal.
      const isEarlier = live.session !== session || live.number < request.id;
      if (isEarlier || live.entry.steal === true) older.add(live);
    }
    const observer: Observer = { request, session, older, left: set };
    if (this.#isSettled(observer)) {
      this.#requests.endUngranted(request);
      return;
    }
    this.#observers.set(request.id, observer);
    if (timeoutMs === 0) this.timeOut(request, 0);
  }

  remove(request: RemoteRequest): void {
    this.#observers.delete(request.id);
  }

  update({ added }: ReplicaDelta): void {
    const stealing = added.filter(({ entry }) => entry.steal === true);
    for (const observer of [...this.#observers.values()]) {
      // A set that steals comes before all that came before it, observers too.
      for (const live of stealing) observer.older.add(live);
      if (this.#isSettled(observer)) this.#requests.endUngranted(observer.request);
    }
  }

  #isSettled(observer: Observer): boolean {
    const { session, older } = observer;
    observer.left = observer.left.filter((part) => this.#state.isBlocked(part, session, older));
    return observer.left.length === 0;
  }

  /** Its time is over, perhaps before the sets that it waits for are known. */
  timeOut(request: RemoteRequest, timeoutMs: number): void {
    const observer = this.#observers.get(request.id);
    const [part] = observer?.left ?? [];
    if (observer === undefined || part === undefined) {
      this.#refuse(request, timeoutMs, 'etcd has not yet reported what is held');
      return;
    }
    this.#refuse(request, timeoutMs, this.#state.describeInTheWay([part], observer.session));
  }

  #refuse(request: RemoteRequest, timeoutMs: number, why: string): void {
    const error = new WaitTimeoutError(`not settled within ${timeoutMs} ms: ${why}`);
    this.#requests.refuse(request, error);
  }
}
