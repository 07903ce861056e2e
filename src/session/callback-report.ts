/**
 * Reports the grant of a request to a callback, once: from the queue, or within the call that
 * granted it.
 */

import { callBack } from '../api/callback.ts';
import type { Grant } from '../api/grant.ts';
import type { EnqueueTerms } from '../api/options.ts';
import { type CapturedContext, captureContext, runInContext } from '../runtime/async-context.ts';
import type { Deliverable, Delivery } from '../runtime/delivery.ts';
import type { RequestReport } from './request-report.ts';

/** How callbacks run. All of a domain's requests that ask for nothing special share one. */
export interface CallbackTerms extends EnqueueTerms {
  readonly delivery: Delivery;
  /** Of the caller of the request. */
  readonly context: CapturedContext;
}

export class CallbackTermsReader {
  readonly #queued: CallbackTerms;
  readonly #direct: CallbackTerms;

  constructor(delivery: Delivery) {
    const usual = { delivery, callback: undefined, onRefused: undefined, context: undefined };
    this.#queued = { ...usual, isDirect: false };
    this.#direct = { ...usual, isDirect: true };
  }

  read({ isDirect, callback, onRefused }: EnqueueTerms): CallbackTerms {
    const context = captureContext();
    if (callback === undefined && onRefused === undefined && context === undefined) {
      return isDirect ? this.#direct : this.#queued;
    }
    return { delivery: this.#queued.delivery, isDirect, callback, onRefused, context };
  }
}

export class CallbackReport<G extends Grant> implements RequestReport<G>, Deliverable {
  // Fields with a # would cost a queued request a twentieth of its time.
  private readonly callback: CallbackTerms;
  private readonly onGrant: (grant: G) => void;
  /** Granted, and not yet delivered. */
  private due: G | undefined = undefined;

  constructor(callback: CallbackTerms, onGrant: (grant: G) => void) {
    this.callback = callback;
    this.onGrant = callback.callback === undefined ? onGrant : callback.callback.wrap(onGrant);
  }

  startWaiting(): void {
    this.callback.callback?.count(1);
  }

  endWaiting(): void {
    this.callback.callback?.count(-1);
  }

  granted(grant: G): void {
    const { delivery, isDirect, callback } = this.callback;
    this.due = grant;
    callback?.due(this);
    if (isDirect) delivery.direct(this);
    else delivery.queued(this);
  }

  refused(reason: unknown): void {
    const { delivery, onRefused, context } = this.callback;
    if (onRefused === undefined) return;
    const deliver = (): void => void runInContext(context, onRefused, reason);
    delivery.queued({ deliver });
  }

  settled(): never {
    throw new Error('a request with a callback waits for a grant');
  }

  /** Runs the callback, unless it has run; a grant that was lost meanwhile is refused. */
  deliver(): void {
    const grant = this.takeDue();
    if (grant === undefined) return;
    if (grant.isHeld) callBack(this.callback.context, this.onGrant, grant);
    else this.refused(grant.signal.reason);
  }

  /** The grant is released if its callback has not started. False if it has, or if it is lost. */
  cancelDue(): boolean {
    if (!this.due?.isHeld) return false;
    this.takeDue()?.release();
    return true;
  }

  /** The grant that was not delivered, and is not from now on. */
  takeDue(): G | undefined {
    const grant = this.due;
    this.due = undefined;
    if (grant !== undefined) this.callback.callback?.notDue(this);
    return grant;
  }
}
