/**
 * A request that waits for the broker's word, in its three forms: with a promise, with a callback,
 * as an observer. It ends exactly once (I7), and is out of the link's list from then on.
 */

import type { Callback, Deliverable } from '../../domain/callback.ts';
import { WaitTimeoutError } from '../../domain/errors.ts';
import type { Grant, Waiter } from '../../domain/grant.ts';
import { Deadline } from '../../event-loop/deadline.ts';
import type { Frame } from './frames.ts';
import { BrokerGrant } from './grant.ts';
import type { Expected } from './link.ts';
import type { Ask, ClientMessage } from './messages.ts';
import type { BrokerSession } from './session.ts';
import { errorReceived } from './wire-errors.ts';

/**
 * The broker ends a wait in time, as it knows who is in the way. If it says nothing for so much
 * longer, in ms, it is out of reach.
 */
const silenceMsMax = 5000;

export interface WaitTerms {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
  readonly holding: readonly BrokerGrant[];
}

/** What is asked, but for what may change until it is asked again. */
export type AskTerms = Omit<Ask, 'id' | 'session' | 'timeoutMs' | 'holding' | 'place'>;

export abstract class BrokerRequest implements Expected {
  readonly id: number;
  readonly scope: BrokerSession;
  readonly isWanted = true;
  protected readonly ask: AskTerms;
  readonly #terms: WaitTerms;
  readonly #startMs: number;
  #place: number | undefined;
  #deadline: Deadline | undefined;

  constructor(scope: BrokerSession, ask: AskTerms, terms: WaitTerms) {
    this.scope = scope;
    this.ask = ask;
    this.#terms = terms;
    const { timeoutMs } = terms;
    this.#startMs = timeoutMs === undefined ? 0 : performance.now();
    this.id = scope.link.nextId();
  }

  /** Told once, unless refused. */
  protected abstract tell(grant: BrokerGrant): void;
  /** Told once, unless granted. */
  protected abstract tellRefused(reason: unknown): void;

  /** Begins to wait. */
  start(): void {
    const { signal, timeoutMs } = this.#terms;
    const { link } = this.scope;
    // First, as what takes no listener throws.
    if (signal !== undefined) link.signals.add(signal, this);
    if (timeoutMs !== undefined) {
      this.#deadline = new Deadline(timeoutMs + silenceMsMax, () => this.#hearNothing(timeoutMs));
    }
    this.scope.tracked.add(this);
    link.expect(this);
  }

  /** What the broker is told, at first, and again by way of another connection. */
  message(): ClientMessage {
    const { timeoutMs, holding } = this.#terms;
    const session = this.scope.sessionSent();
    const kept = holding.filter(({ isHeld }) => isHeld).map(({ id }) => id);
    return {
      ...this.ask,
      id: this.id,
      ...(session !== 0 && { session }),
      ...(timeoutMs !== undefined && { timeoutMs: this.#leftMs(timeoutMs) }),
      ...(kept.length > 0 && { holding: kept }),
      ...(this.#place !== undefined && { place: this.#place }),
    };
  }

  hear(frame: Frame): void {
    switch (frame['is']) {
      case 'granted':
        this.endWaiting();
        this.#take(frame as { token: number });
        break;
      case 'waiting':
        this.#place = frame['place'] as number;
        break;
      case 'refused':
        this.refuse(errorReceived(frame));
        break;
      default:
        this.hearOther();
    }
  }

  /** It is over, ungranted, for this reason. */
  refuse(reason: unknown): void {
    if (this.endWaiting()) this.tellRefused(reason);
  }

  /** It waits no more, and leaves nothing behind here. False if it did not wait. */
  endWaiting(): boolean {
    const { link, tracked } = this.scope;
    if (!link.forget(this)) return false;
    tracked.delete(this);
    this.#deadline?.cancel();
    const { signal } = this.#terms;
    if (signal !== undefined) link.signals.remove(signal, this);
    return true;
  }

  protected hearOther(): void {}

  #take(granted: { token: number }): void {
    const { exclusive, shared, label } = this.ask;
    const set = {
      ...(exclusive !== undefined && { exclusive }),
      ...(shared !== undefined && { shared }),
    };
    const grant = new BrokerGrant(this.id, this.scope, set, label, granted);
    this.scope.link.grants.set(this.id, grant);
    this.scope.tracked.add(grant);
    this.tell(grant);
  }

  /** Told in the first place as it was given: so that an error names that. */
  #leftMs(timeoutMs: number): number {
    const waitedMs = performance.now() - this.#startMs;
    return waitedMs < 1 ? timeoutMs : Math.max(0, timeoutMs - waitedMs);
  }

  #hearNothing(timeoutMs: number): void {
    const { link } = this.scope;
    const why = `not granted within ${timeoutMs} ms, and the broker does not answer`;
    link.cancel([this]);
    this.refuse(new WaitTimeoutError(`${why}: see whether it is stopped or cannot be started`));
  }
}

export class PromiseRequest extends BrokerRequest {
  readonly #resolve: (grant: Grant | null) => void;
  readonly #reject: (reason: unknown) => void;

  constructor(
    scope: BrokerSession,
    ask: AskTerms,
    terms: WaitTerms,
    resolve: (grant: Grant | null) => void,
    reject: (reason: unknown) => void,
  ) {
    super(scope, ask, terms);
    this.#resolve = resolve;
    this.#reject = reject;
  }

  protected override tell(grant: BrokerGrant): void {
    this.#resolve(grant);
  }

  protected override tellRefused(reason: unknown): void {
    this.#reject(reason);
  }

  /** A try is denied; what was watched is settled. */
  protected override hearOther(): void {
    if (this.endWaiting()) this.#resolve(null);
  }
}

/** Its callback runs from the queue, or as soon as this event loop hears of the grant. */
export class CallbackRequest extends BrokerRequest implements Waiter, Deliverable {
  readonly #onGrant: (grant: Grant) => void;
  readonly #onRefused: ((reason: unknown) => void) | undefined;
  readonly #callback: Callback | undefined;
  readonly #isDirect: boolean;
  #isWaiting = false;
  /** Granted, and due to be told. */
  #due: BrokerGrant | undefined = undefined;

  constructor(
    scope: BrokerSession,
    ask: AskTerms,
    terms: WaitTerms,
    told: {
      readonly onGrant: (grant: Grant) => void;
      readonly onRefused: ((reason: unknown) => void) | undefined;
      readonly callback: Callback | undefined;
      readonly isDirect: boolean;
    },
  ) {
    super(scope, ask, terms);
    this.#onGrant = told.onGrant;
    this.#onRefused = told.onRefused;
    this.#callback = told.callback;
    this.#isDirect = told.isDirect;
  }

  override start(): void {
    super.start();
    this.#isWaiting = true;
    this.#callback?.count(1);
  }

  override endWaiting(): boolean {
    if (!super.endWaiting()) return false;
    if (this.#isWaiting) this.#callback?.count(-1);
    this.#isWaiting = false;
    return true;
  }

  protected override tell(grant: BrokerGrant): void {
    this.#due = grant;
    this.#callback?.due(this);
    const { delivery } = this.scope.link;
    if (this.#isDirect) delivery.direct(this);
    else delivery.queued(this);
  }

  /** Runs the callback, unless it has run, or the grant has been taken away meanwhile. */
  deliver(): void {
    const grant = this.#takeDue();
    if (grant === undefined) return;
    if (grant.isHeld) this.#onGrant(grant);
    else this.tellRefused(grant.signal.reason);
  }

  cancel(): boolean {
    if (this.endWaiting()) {
      this.scope.link.cancel([this]);
      return true;
    }
    if (!this.#due?.isHeld) return false;
    this.#takeDue()?.release();
    return true;
  }

  protected override tellRefused(reason: unknown): void {
    const onRefused = this.#onRefused;
    if (onRefused === undefined) return;
    this.scope.link.delivery.queued({ deliver: () => onRefused(reason) });
  }

  #takeDue(): BrokerGrant | undefined {
    const grant = this.#due;
    this.#due = undefined;
    if (grant !== undefined) this.#callback?.notDue(this);
    return grant;
  }
}
