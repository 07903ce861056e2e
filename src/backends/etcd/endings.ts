/**
 * Requests that end ungranted: each is refused, or denied, once its set is removed or etcd cannot
 * be reached.
 */

import { WaitTimeoutError } from '../../api/errors.ts';
import type { RemoteRequest } from '../../remote/request.ts';
import type { RequestTable } from '../../remote/request-table.ts';
import { waitTimeout } from '../../report/blockers.ts';
import type { Clock } from '../../runtime/clock.ts';
import { within } from '../../runtime/within.ts';
import type { LiveSet } from './live-set.ts';
import type { OwnSets } from './own-sets.ts';
import type { PendingEtcdRequest } from './pending-request.ts';
import type { Reads } from './reads.ts';
import type { Replica } from './replica.ts';
import type { SessionKeeper } from './session-keeper.ts';

/** Time limit, ms, of the removal of a set before its request is refused. */
const leavingMsMax = 1000;

export interface EndingsOptions {
  readonly clock: Clock;
  readonly requests: RequestTable<PendingEtcdRequest>;
  readonly replica: Replica;
  readonly keeper: SessionKeeper;
  readonly sets: OwnSets;
  readonly reads: Reads;
}

export class Endings {
  readonly #options: EndingsOptions;

  constructor(options: EndingsOptions) {
    this.#options = options;
  }

  /** Wanted at once, and not granted; `live`: its set in the log, if it has one. */
  deny(pending: PendingEtcdRequest, live: LiveSet | undefined): void {
    const { request } = pending;
    const isTry = request.terms.how === 'try';
    this.end(pending, isTry ? undefined : this.#timeOutError(request, 0, live));
  }

  timeOut(pending: PendingEtcdRequest, timeoutMs: number): void {
    const live = this.#options.replica.sets.get(pending.key?.key ?? '');
    this.end(pending, this.#timeOutError(pending.request, timeoutMs, live));
  }

  /** Without a reason the request is denied. */
  end(pending: PendingEtcdRequest, reason: unknown): void {
    if (pending.isLeaving || !this.#options.requests.isPending(pending.request)) return;
    pending.isLeaving = true;
    this.#options.reads.track(this.#end(pending.request, reason));
  }

  async #end(request: RemoteRequest, reason: unknown): Promise<void> {
    const { clock, requests, sets } = this.#options;
    await within(clock, leavingMsMax, sets.remove(request.id));
    if (reason === undefined) requests.endUngranted(request);
    else requests.refuse(request, reason);
  }

  #timeOutError({ terms }: RemoteRequest, timeoutMs: number, live: LiveSet | undefined) {
    const { replica, keeper } = this.#options;
    const { state } = replica;
    const isWaiting = live !== undefined && live.set !== 0 && !live.isGranted;
    if (isWaiting) return waitTimeout(state, live.set, timeoutMs);
    const inTheWay = state.describeInTheWay(terms.set, keeper.id);
    return new WaitTimeoutError(`not granted within ${timeoutMs} ms: ${inTheWay}`);
  }
}
