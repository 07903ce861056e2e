/**
 * A request that waits for the word of whoever keeps the state, in its two forms: with a promise,
 * also for tries and observers, and with a callback. It ends exactly once (I7).
 */

import { type Callback, callBack } from '../api/callback.ts';
import { watched } from '../api/events.ts';
import type { Grant, Waiter } from '../api/grant.ts';
import type { LockedPolicy } from '../api/options.ts';
import { type CapturedContext, runInContext } from '../runtime/async-context.ts';
import type { Deliverable } from '../runtime/delivery.ts';
import { realNowMs } from '../runtime/real-time.ts';
import { throwUncaught } from '../runtime/uncaught.ts';
import { noteEnd, noteGrant, noteMiss, noteRefusal, noteStart } from './event-notes.ts';
import type { Granted, RemoteGrant } from './grant.ts';
import type { RemoteSet } from './resources.ts';
import type { RemoteSession } from './session.ts';

export interface RequestTerms {
  /** To have it, to have it now or never, or to hear when nothing conflicts. */
  readonly how: 'acquire' | 'try' | 'settled';
  readonly set: RemoteSet;
  readonly label: string | undefined;
  readonly locked: LockedPolicy | undefined;
  readonly steal: boolean | undefined;
  /** As the caller has declared; some may have ended since. */
  readonly holding: readonly RemoteGrant[];
  /** In ms; undefined: without end. */
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
}

export abstract class RemoteRequest {
  readonly id: number;
  readonly scope: RemoteSession;
  readonly terms: RequestTerms;
  readonly #startMs: number;
  #isWaiting = false;

  constructor(scope: RemoteSession, terms: RequestTerms) {
    this.scope = scope;
    this.terms = terms;
    this.#startMs = terms.timeoutMs === undefined ? 0 : realNowMs();
    this.id = scope.link.nextId();
  }

  /** Told once, unless refused. */
  protected abstract tell(grant: RemoteGrant): void;
  /** Told once, unless granted. */
  protected abstract tellRefused(reason: unknown): void;

  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  /** Begins to wait. */
  start(): void {
    const { link, tracked } = this.scope;
    const { signal } = this.terms;
    this.#isWaiting = true;
    tracked.add(this);
    if (signal !== undefined && !this.#follow(signal)) return;
    if (watched.isWatched) noteStart(this);
    link.ask(this);
  }

  /**
   * False if it has ended by the time that the signal has its listener: that runs code of the
   * caller's, which may abort the signal or close the session. Nothing has been asked for by then.
   *
   * @throws what a signal throws that takes no listener.
   */
  #follow(signal: AbortSignal): boolean {
    const { link, tracked } = this.scope;
    let isWaiting: boolean;
    try {
      isWaiting = link.signals.add(signal, this);
    } catch (error) {
      if (this.#isWaiting) {
        this.#isWaiting = false;
        tracked.delete(this);
        throw error;
      }
      throwUncaught(error);
      return false;
    }
    if (isWaiting) return this.#isWaiting;
    if (this.endWaiting()) this.tellRefused(signal.reason);
    return false;
  }

  /** For hosts: it could not be had at once; told once, however often it is asked anew. */
  missed(): void {
    if (watched.isWatched) noteMiss(this);
  }

  /** What is left of its time, in ms: at first as it was given, so that an error names that. */
  leftMs(timeoutMs: number): number {
    const waitedMs = realNowMs() - this.#startMs;
    return waitedMs < 1 ? timeoutMs : Math.max(0, timeoutMs - waitedMs);
  }

  /** For hosts: it has what it wants. Undefined if it does not wait any more. */
  granted(granted: Granted): RemoteGrant | undefined {
    if (!this.endWaiting()) return undefined;
    const grant = this.scope.link.createGrant(this, granted);
    this.scope.tracked.add(grant);
    this.scope.link.held(grant);
    if (watched.isWatched) noteGrant(this, grant);
    this.tell(grant);
    return grant;
  }

  /** For hosts: a try could not have it, or what was observed is gone. */
  settled(): void {
    this.endWaiting();
  }

  /** For hosts: it is over, ungranted, for this reason. */
  refuse(reason: unknown): void {
    if (!this.endWaiting()) return;
    if (watched.isWatched) noteRefusal(this, reason);
    this.tellRefused(reason);
  }

  /** It waits no more, and leaves nothing behind here. False if it did not wait. */
  endWaiting(): boolean {
    if (!this.#isWaiting) return false;
    this.#isWaiting = false;
    const { link, tracked } = this.scope;
    tracked.delete(this);
    const { signal } = this.terms;
    if (signal !== undefined) link.signals.remove(signal, this);
    link.ended(this);
    return true;
  }
}

export class PromiseRequest extends RemoteRequest {
  readonly #resolve: (grant: Grant | null) => void;
  readonly #reject: (reason: unknown) => void;

  constructor(
    scope: RemoteSession,
    terms: RequestTerms,
    resolve: (grant: Grant | null) => void,
    reject: (reason: unknown) => void,
  ) {
    super(scope, terms);
    this.#resolve = resolve;
    this.#reject = reject;
  }

  override settled(): void {
    if (!this.endWaiting()) return;
    if (watched.isWatched) noteEnd(this, 'denied');
    this.#resolve(null);
  }

  protected override tell(grant: RemoteGrant): void {
    this.#resolve(grant);
  }

  protected override tellRefused(reason: unknown): void {
    this.#reject(reason);
  }
}

/** Its callback runs from the queue, or as soon as this event loop hears of the grant. */
export class CallbackRequest extends RemoteRequest implements Waiter, Deliverable {
  readonly #onGrant: (grant: Grant) => void;
  readonly #onRefused: ((reason: unknown) => void) | undefined;
  readonly #callback: Callback | undefined;
  readonly #isDirect: boolean;
  readonly #context: CapturedContext;
  /** Granted, and due to be told. */
  #due: RemoteGrant | undefined = undefined;

  constructor(
    scope: RemoteSession,
    terms: RequestTerms,
    told: {
      readonly onGrant: (grant: Grant) => void;
      readonly onRefused: ((reason: unknown) => void) | undefined;
      readonly callback: Callback | undefined;
      readonly isDirect: boolean;
      readonly context: CapturedContext;
    },
  ) {
    super(scope, terms);
    this.#onGrant = told.onGrant;
    this.#onRefused = told.onRefused;
    this.#callback = told.callback;
    this.#isDirect = told.isDirect;
    this.#context = told.context;
  }

  override start(): void {
    this.#callback?.count(1);
    try {
      super.start();
    } catch (error) {
      this.#callback?.count(-1);
      throw error;
    }
  }

  override endWaiting(): boolean {
    if (!super.endWaiting()) return false;
    this.#callback?.count(-1);
    return true;
  }

  /** Runs the callback, unless it has run, or the grant has been taken away meanwhile. */
  deliver(): void {
    const grant = this.#takeDue();
    if (grant === undefined) return;
    if (grant.isHeld) callBack(this.#context, this.#onGrant, grant);
    else this.tellRefused(grant.signal.reason);
  }

  cancel(): boolean {
    if (this.endWaiting()) {
      if (watched.isWatched) noteEnd(this, 'cancelled');
      this.scope.link.cancel([this]);
      return true;
    }
    if (!this.#due?.isHeld) return false;
    this.#takeDue()?.release();
    return true;
  }

  protected override tell(grant: RemoteGrant): void {
    this.#due = grant;
    this.#callback?.due(this);
    const { delivery } = this.scope.link;
    if (this.#isDirect) delivery.direct(this);
    else delivery.queued(this);
  }

  protected override tellRefused(reason: unknown): void {
    const onRefused = this.#onRefused;
    if (onRefused === undefined) return;
    const deliver = (): void => void runInContext(this.#context, onRefused, reason);
    this.scope.link.delivery.queued({ deliver });
  }

  #takeDue(): RemoteGrant | undefined {
    const grant = this.#due;
    this.#due = undefined;
    if (grant !== undefined) this.#callback?.notDue(this);
    return grant;
  }
}
