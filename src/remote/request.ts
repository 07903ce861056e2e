/**
 * The terms of a request, and how its outcome is reported: by a promise, also for tries and
 * observers, or by a callback. Its state is in the table of requests.
 */

import { type Callback, callBack } from '../api/callback.ts';
import { eventFlags } from '../api/events.ts';
import type { Grant, Waiter } from '../api/grant.ts';
import type { LockedPolicy } from '../api/options.ts';
import { type CapturedContext, runInContext } from '../runtime/async-context.ts';
import type { Deliverable } from '../runtime/delivery.ts';
import { emitEnd } from './events.ts';
import type { RemoteGrant } from './grant.ts';
import type { RemoteSet } from './resources.ts';
import type { Scope } from './scope.ts';

export interface RequestTerms {
  /** Waits for the set; has it now or never; waits until nothing conflicts with it. */
  readonly how: 'acquire' | 'try' | 'settled';
  readonly set: RemoteSet;
  readonly label: string | undefined;
  readonly locked: LockedPolicy | undefined;
  readonly steal: boolean | undefined;
  /** As declared by the caller; some may have ended since. */
  readonly holding: readonly RemoteGrant[];
  /** In ms; undefined: without end. */
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
}

export abstract class RemoteRequest {
  readonly id: number;
  readonly scope: Scope;
  readonly terms: RequestTerms;

  constructor(scope: Scope, terms: RequestTerms) {
    this.scope = scope;
    this.terms = terms;
    this.id = scope.backend.nextId();
  }

  /** For the table of requests: exactly one of these three, unless the caller cancels it. */
  abstract reportGrant(grant: RemoteGrant): void;
  abstract reportRefusal(reason: unknown): void;
  /** A try could not have its set, or an observer has no conflict left. */
  reportSettled(): void {}

  /** For the table of requests: it waits no more, and its report may follow. */
  endWaiting(): void {}
}

export class PromiseRequest extends RemoteRequest {
  readonly #resolve: (grant: Grant | null) => void;
  readonly #reject: (reason: unknown) => void;

  constructor(
    scope: Scope,
    terms: RequestTerms,
    resolve: (grant: Grant | null) => void,
    reject: (reason: unknown) => void,
  ) {
    super(scope, terms);
    this.#resolve = resolve;
    this.#reject = reject;
  }

  override reportGrant(grant: RemoteGrant): void {
    this.#resolve(grant);
  }

  override reportRefusal(reason: unknown): void {
    this.#reject(reason);
  }

  override reportSettled(): void {
    this.#resolve(null);
  }
}

/** How a request with a callback reports its outcome. */
export interface CallbackReport {
  readonly onGrant: (grant: Grant) => void;
  readonly onRefused: ((reason: unknown) => void) | undefined;
  readonly callback: Callback | undefined;
  readonly isDirect: boolean;
  readonly context: CapturedContext;
}

/** Its callback runs from the queue, or as soon as this event loop has received the grant. */
export class CallbackRequest extends RemoteRequest implements Waiter, Deliverable {
  readonly #report: CallbackReport;
  /** Granted, and not yet delivered. */
  #due: RemoteGrant | undefined = undefined;

  constructor(scope: Scope, terms: RequestTerms, report: CallbackReport) {
    super(scope, terms);
    this.#report = report;
    report.callback?.count(1);
  }

  override endWaiting(): void {
    this.#report.callback?.count(-1);
  }

  /** Runs the callback, unless it has run; a grant that was lost meanwhile is refused. */
  deliver(): void {
    const grant = this.#takeDue();
    if (grant === undefined) return;
    if (grant.isHeld) callBack(this.#report.context, this.#report.onGrant, grant);
    else this.reportRefusal(grant.signal.reason);
  }

  cancel(): boolean {
    if (this.scope.backend.cancel(this)) {
      if (eventFlags.hasSubscribers) emitEnd(this, 'cancelled');
      return true;
    }
    if (!this.#due?.isHeld) return false;
    this.#takeDue()?.release();
    return true;
  }

  override reportGrant(grant: RemoteGrant): void {
    const { callback, isDirect } = this.#report;
    this.#due = grant;
    callback?.due(this);
    const { delivery } = this.scope.backend;
    if (isDirect) delivery.direct(this);
    else delivery.queued(this);
  }

  override reportRefusal(reason: unknown): void {
    const { onRefused, context } = this.#report;
    if (onRefused === undefined) return;
    const deliver = (): void => void runInContext(context, onRefused, reason);
    this.scope.backend.delivery.queued({ deliver });
  }

  #takeDue(): RemoteGrant | undefined {
    const grant = this.#due;
    this.#due = undefined;
    if (grant !== undefined) this.#report.callback?.notDue(this);
    return grant;
  }
}
