/**
 * A request that waits, in its three forms: with a promise, with a callback, as an observer.
 *
 * It ends exactly once (I7): told of its grant, cancelled, or refused. `set` is its set in core
 * while it waits, and 0 from then on.
 */

import { type Callback, callBack } from '../api/callback.ts';
import type { RequestOutcome } from '../api/events.ts';
import type { SyncGrant, Waiter } from '../api/grant.ts';
import { type CapturedContext, runInContext } from '../runtime/async-context.ts';
import type { Deliverable } from '../runtime/delivery.ts';
import type { TimeLimit } from '../runtime/time-limits.ts';
import { throwUncaught } from '../runtime/uncaught.ts';
import type { HostGrant } from './grant.ts';
import type { HostSession } from './session.ts';

/** What few requests need. */
interface WaitDetails {
  label?: string | undefined;
  timeLimit?: TimeLimit<HostRequest>;
  signal?: AbortSignal;
  callback?: Callback;
  onRefused?: ((reason: unknown) => void) | undefined;
  context?: CapturedContext;
  isDeferred?: boolean;
}

export interface WaitOptions {
  readonly timeoutMs?: number | undefined;
  readonly label?: string | undefined;
}

export abstract class HostRequest {
  readonly scope: HostSession;
  set: number;
  protected waitDetails: WaitDetails | undefined = undefined;

  constructor(scope: HostSession, set: number) {
    this.scope = scope;
    this.set = set;
  }

  get label(): string | undefined {
    return this.waitDetails?.label;
  }

  /** Told once, unless refused; its set has become the grant's. */
  abstract tell(grant: HostGrant): void;

  /** Told once, unless granted; it has left. */
  abstract refuse(reason: unknown): void;

  /** Begins to wait, on these terms. Within the operation in which its set arrived. */
  start({ timeoutMs, label }: WaitOptions): void {
    if (label !== undefined) this.details().label = label;
    if (timeoutMs !== undefined && timeoutMs !== Number.POSITIVE_INFINITY) {
      this.details().timeLimit = this.scope.host.timeLimits.add(timeoutMs, this);
    }
  }

  /**
   * Ends as soon as a signal aborts. After the operation in which its set arrived, as this runs
   * code of the caller's; so it may have been granted by then, or may be while this runs.
   *
   * @throws what a signal throws that takes no listener. Then the request has left.
   */
  follow(signal: AbortSignal): void {
    if (this.set === 0) return;
    this.details().signal = signal;
    let isWaiting: boolean;
    try {
      isWaiting = this.scope.host.signals.add(signal, this);
    } catch (error) {
      if (this.leave('refused')) throw error;
      throwUncaught(error);
      return;
    }
    if (!isWaiting && this.leave('cancelled')) this.refuse(signal.reason);
  }

  /** It waits no more, and leaves no timer and no listener behind. */
  endWaiting(): void {
    this.set = 0;
    this.scope.tracked?.delete(this);

    const details = this.waitDetails;
    if (details === undefined) return;
    details.timeLimit?.cancel();
    if (details.signal !== undefined) this.scope.host.signals.remove(details.signal, this);
    details.callback?.count(-1);
  }

  /** Its set ends, ungranted. False if it turns out that it waits no more. */
  leave(outcome: RequestOutcome): boolean {
    const { scope } = this;
    scope.host.enter();
    const { set } = this;
    if (set !== 0) {
      this.endWaiting();
      scope.host.drop(set, outcome);
    }
    scope.host.leave();
    return set !== 0;
  }

  /** The grant that it has and was not told of, and is not told of from now on. */
  takeUntold(): HostGrant | undefined {
    return undefined;
  }

  protected details(): WaitDetails {
    this.waitDetails ??= {};
    return this.waitDetails;
  }
}

export class PromiseRequest extends HostRequest {
  readonly #resolve: (grant: SyncGrant) => void;
  readonly #reject: (reason: unknown) => void;

  constructor(
    scope: HostSession,
    set: number,
    resolve: (grant: SyncGrant) => void,
    reject: (reason: unknown) => void,
  ) {
    super(scope, set);
    this.#resolve = resolve;
    this.#reject = reject;
  }

  override tell(grant: HostGrant): void {
    this.#resolve(grant);
  }

  override refuse(reason: unknown): void {
    this.#reject(reason);
  }
}

/** Waits for what conflicts to go, and takes nothing. */
export class ObserverRequest extends HostRequest {
  readonly #resolve: () => void;
  readonly #reject: (reason: unknown) => void;

  constructor(
    scope: HostSession,
    set: number,
    resolve: () => void,
    reject: (reason: unknown) => void,
  ) {
    super(scope, set);
    this.#resolve = resolve;
    this.#reject = reject;
  }

  override tell(): never {
    throw new Error('an observer is never granted anything');
  }

  tellDone(): void {
    this.#resolve();
  }

  override refuse(reason: unknown): void {
    this.#reject(reason);
  }
}

/** Its callback runs from the queue. */
export class CallbackRequest extends HostRequest implements Waiter, Deliverable {
  readonly #onGrant: (grant: SyncGrant) => void;
  /** Granted, and due to be told. */
  #due: HostGrant | undefined = undefined;

  constructor(scope: HostSession, set: number, onGrant: (grant: SyncGrant) => void) {
    super(scope, set);
    this.#onGrant = onGrant;
  }

  /** What only callbacks have: where they run, and who is told if they never do. */
  onTerms(
    callback: Callback | undefined,
    onRefused: ((reason: unknown) => void) | undefined,
    context: CapturedContext,
  ): void {
    if (onRefused !== undefined) this.details().onRefused = onRefused;
    if (context !== undefined) this.details().context = context;
    if (callback === undefined) return;
    this.details().callback = callback;
    if (this.set !== 0) callback.count(1);
  }

  /** Its domain is not ready, so it arrives later. */
  defer(): void {
    const details = this.details();
    details.isDeferred = true;
    details.callback?.count(1);
  }

  /** False if it was not deferred, or was cancelled meanwhile. */
  endDeferral(): boolean {
    const details = this.waitDetails;
    if (details?.isDeferred !== true) return false;
    details.isDeferred = false;
    details.callback?.count(-1);
    return true;
  }

  /** It was deferred, and its set waits from now on. */
  arrive(set: number): void {
    this.set = set;
    this.waitDetails?.callback?.count(1);
  }

  override tell(grant: HostGrant): void {
    this.#due = grant;
    this.waitDetails?.callback?.due(this);
    this.enterQueue();
  }

  protected enterQueue(): void {
    this.scope.host.delivery.queued(this);
  }

  /** Runs the callback, unless it has run, or the grant has been taken away meanwhile. */
  deliver(): void {
    const grant = this.takeUntold();
    if (grant === undefined) return;
    if (grant.isHeld) callBack(this.waitDetails?.context, this.#onGrant, grant);
    else this.refuse(grant.signal.reason);
  }

  cancel(): boolean {
    if (this.set !== 0 && this.leave('cancelled')) return true;
    if (this.endDeferral()) return true;
    if (!this.#due?.isHeld) return false;
    this.takeUntold()?.release();
    return true;
  }

  override refuse(reason: unknown): void {
    const { onRefused, context } = this.waitDetails ?? {};
    if (onRefused === undefined) return;
    const deliver = (): void => void runInContext(context, onRefused, reason);
    this.scope.host.delivery.queued({ deliver });
  }

  override takeUntold(): HostGrant | undefined {
    const grant = this.#due;
    this.#due = undefined;
    if (grant !== undefined) this.waitDetails?.callback?.notDue(this);
    return grant;
  }
}

/** Its callback runs in the call that grants it. */
export class DirectRequest extends CallbackRequest {
  protected override enterQueue(): void {
    this.scope.host.delivery.direct(this);
  }
}
