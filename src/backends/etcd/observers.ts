/**
 * Those that wait until what conflicts with a set now is gone. They are known to this client only,
 * take nothing and are in nobody's way: each has a list of the sets that are left, and is done when
 * that is empty. What comes later is on no list.
 */

import { WaitTimeoutError } from '../../api/errors.ts';
import type { RemoteRequest } from '../../remote/request.ts';
import { describeOwnerOf } from '../../report/blockers.ts';
import { quote } from '../../runtime/escape.ts';
import type { Fold } from './derived-state.ts';
import type { LiveSet } from './live-set.ts';
import type { News } from './replica.ts';

interface Observer {
  readonly request: RemoteRequest;
  readonly session: string;
  readonly left: Set<LiveSet>;
}

export class Observers {
  readonly #fold: Fold;
  /** By the request's id. */
  readonly #observers = new Map<number, Observer>();

  constructor(fold: Fold) {
    this.#fold = fold;
  }

  /** What conflicts at this moment is to be waited for. */
  add(request: RemoteRequest, session: string): void {
    const { set, timeoutMs } = request.terms;
    const left = new Set<LiveSet>();
    for (const live of this.#fold.inTheWay(set, session)) {
      // What this client has asked for since then came later.
      if (live.session !== session || live.number < request.id) left.add(live);
    }
    if (left.size === 0) {
      request.settled();
      return;
    }
    this.#observers.set(request.id, { request, session, left });
    if (timeoutMs === 0) this.timeOut(request, 0);
  }

  remove(request: RemoteRequest): void {
    this.#observers.delete(request.id);
  }

  hear({ gone, changed }: News): void {
    for (const { request, session, left } of [...this.#observers.values()]) {
      for (const live of gone) left.delete(live);
      for (const live of changed) {
        if (left.has(live) && !this.#fold.inTheWay(request.terms.set, session).has(live)) {
          left.delete(live);
        }
      }
      if (left.size === 0) request.settled();
    }
  }

  /** Its time is over, perhaps before it is known what it would wait for. */
  timeOut(request: RemoteRequest, timeoutMs: number): void {
    const [live] = this.#observers.get(request.id)?.left ?? [];
    if (live === undefined) {
      const why = 'etcd has not yet told what is held';
      request.refuse(new WaitTimeoutError(`not settled within ${timeoutMs} ms: ${why}`));
      return;
    }
    const names = [...live.entry.exclusive, ...live.entry.shared].slice(0, 3);
    const what = quote(names.map(String).join(', '));
    const owner = `${what} is ${describeOwnerOf(this.#fold, live.set)}`;
    request.refuse(new WaitTimeoutError(`not settled within ${timeoutMs} ms: ${owner}`));
  }
}
