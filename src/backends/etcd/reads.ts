/** Reads of the log up to the present, and work that waits for one. */

import type { RemoteRequest } from '../../remote/request.ts';
import type { RequestTable } from '../../remote/request-table.ts';
import type { Log } from './log.ts';
import type { PendingEtcdRequest } from './pending-request.ts';
import { readMsMax, type SessionKeeper } from './session-keeper.ts';

/** Of a request at most: its units are read, its set is sent, and then it may be refused. */
const stepsMax = 4;

export class Reads {
  readonly #log: Log;
  readonly #keeper: SessionKeeper;
  readonly #requests: RequestTable<PendingEtcdRequest>;
  /** Work that goes on although the outbox is idle. */
  readonly #underWay = new Set<Promise<void>>();

  constructor(log: Log, keeper: SessionKeeper, requests: RequestTable<PendingEtcdRequest>) {
    this.#log = log;
    this.#keeper = keeper;
    this.#requests = requests;
  }

  /** On return the replica has what was in etcd at the call, and what this client had sent. */
  async read(): Promise<void> {
    await this.#keeper.present?.outbox.flushed();
    await this.#log.reach(readMsMax);
    this.#keeper.checkUsable();
  }

  /** The same, and the outcome of all work that was under way, and of what that has led to. */
  async readAll(): Promise<void> {
    for (let step = 0; step < stepsMax; step++) {
      // Those of before the read, too: what ends during it may have sent what the read has missed.
      const underWay = [...this.#underWay];
      await Promise.all(underWay);
      await this.read();
      if (underWay.length + this.#underWay.size === 0) return;
    }
  }

  /** Does something after a read, unless the request is over. */
  after(request: RemoteRequest, then: () => void): void {
    const work = this.read().then(
      () => this.#requests.isPending(request) && then(),
      (error) => this.#requests.refuse(request, error),
    );
    this.track(work);
  }

  track(work: Promise<unknown>): void {
    const over = work.then(() => {
      this.#underWay.delete(over);
      this.#requests.delivery.runDirect();
    });
    this.#underWay.add(over);
  }
}
