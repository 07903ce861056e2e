/** A flip: brings one frame to the screen. */

import type { Grant, Waiter } from '../../api/grant.ts';
import type { ResourceRef } from '../../api/sets.ts';

/**
 * Any object with a resource, for example a buffer of kds/buffers.
 *
 * @since 0.1.0
 */
export interface DisplayBuffer {
  /** Name or handle of the resource that a producer holds exclusive while it draws. */
  readonly resource: ResourceRef;
}

/**
 * State of a flip.
 *
 * @since 0.1.0
 */
export type FlipState =
  /** Waits for its grant: the producer has not ended. */
  | 'pending'
  /** Granted: the frame is complete, and waits for its vsync. */
  | 'ready'
  /** Handed to the screen for the next vsync; the frame before is still read. */
  | 'latched'
  | 'shown'
  /** It was shown, and the next frame is on the screen. */
  | 'replaced'
  | FlipFailure;

/**
 * The reason why a frame was never shown.
 *
 * @since 0.1.0
 */
export type FlipFailure =
  /** A newer frame was ready first (mailbox). */
  | 'dropped'
  /** Its producer took longer than the deadline. */
  | 'expired'
  /** Its producer failed, or died: the buffer may be half written. */
  | 'failed'
  | 'cancelled'
  /** A deadlock, or the domain was closed: `outcome` rejects with the reason. */
  | 'refused';

/**
 * 'shown', or the reason why a frame was not.
 *
 * @since 0.1.0
 */
export type FlipOutcome = 'shown' | Exclude<FlipFailure, 'refused'>;

const moves: Readonly<Record<FlipState, readonly FlipState[]>> = {
  pending: ['ready', 'dropped', 'expired', 'failed', 'cancelled', 'refused'],
  ready: ['latched', 'dropped', 'cancelled'],
  latched: ['shown', 'cancelled'],
  shown: ['replaced'],
  replaced: [],
  dropped: [],
  expired: [],
  failed: [],
  cancelled: [],
  refused: [],
};

/**
 * Brings one frame to the screen: the result of {@link Display.present}.
 *
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 * import { createDisplay, manualVsync } from 'kds/display';
 *
 * const buffers = [{ resource: 'F0' }, { resource: 'F1' }];
 * const display = createDisplay(createDomain(), { buffers, vsync: manualVsync() });
 * const flip = display.present(display.nextBuffer());
 * console.log(flip.state, flip.cancel(), await flip.outcome); // ready true cancelled
 * await display.close();
 * ```
 * @since 0.1.0
 */
export interface Flip<B extends DisplayBuffer = DisplayBuffer> {
  /** As given to `present`, or one more than the last. */
  readonly number: number;
  /** The buffer of the frame. */
  readonly buffer: B;
  /** Its state at this moment. */
  readonly state: FlipState;
  /**
   * Resolves with 'shown' as soon as the frame is on the screen, or with the reason why it never
   * will be. Rejects, if the flip was refused, with {@link DeadlockError}, {@link
   * DomainClosedError} or the error of the backend.
   */
  readonly outcome: Promise<FlipOutcome>;
  /**
   * Cancels the flip.
   *
   * @returns True if the flip had not been latched: then it never is.
   * @waits Never.
   */
  cancel(): boolean;
}

export class QueuedFlip<B extends DisplayBuffer, G extends Grant> implements Flip<B> {
  readonly id: number;
  readonly number: number;
  readonly buffer: B;
  /** Identifies its request in a snapshot. */
  readonly label: string;
  state: FlipState = 'pending';
  waiter: Waiter | undefined;
  grant: G | undefined;
  /** Start of its time limit. */
  sinceMs = Number.NaN;
  readyMs = Number.NaN;
  /** The frame that was on the screen at the last check for a deadlock. */
  checkedAgainst: unknown;
  readonly #cancel: (flip: QueuedFlip<B, G>) => boolean;
  #end: { readonly outcome: FlipOutcome | 'refused'; readonly error: unknown } | undefined;
  #promise: OutcomePromise | undefined;

  constructor(
    id: number,
    number: number,
    buffer: B,
    label: string,
    cancel: (flip: QueuedFlip<B, G>) => boolean,
  ) {
    this.id = id;
    this.number = number;
    this.buffer = buffer;
    this.label = label;
    this.#cancel = cancel;
  }

  get outcome(): Promise<FlipOutcome> {
    this.#promise ??= new OutcomePromise();
    if (this.#end !== undefined) this.#promise.end(this.#end.outcome, this.#end.error);
    return this.#promise.value;
  }

  cancel(): boolean {
    return this.#cancel(this);
  }

  move(state: FlipState, error?: unknown): void {
    if (!moves[this.state].includes(state)) {
      throw new Error(`flip ${this.id} is ${this.state}, and cannot become ${state}`);
    }
    this.state = state;
    if (state === 'ready' || state === 'latched' || state === 'replaced') return;
    const outcome = state as FlipOutcome | 'refused';
    this.#end = { outcome, error };
    // A refusal whose promise nobody reads is an unhandled rejection, like that of any promise.
    if (outcome === 'refused') this.#promise ??= new OutcomePromise();
    this.#promise?.end(outcome, error);
  }
}

/** A promise of an outcome; ending it again does nothing. */
class OutcomePromise {
  readonly value: Promise<FlipOutcome>;
  #resolve!: (outcome: FlipOutcome) => void;
  #reject!: (reason: unknown) => void;

  constructor() {
    this.value = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  end(outcome: FlipOutcome | 'refused', error: unknown): void {
    if (outcome === 'refused') this.#reject(error);
    else this.#resolve(outcome);
  }
}

/**
 * Returns a promise where the release is a message, which never rejects: a release that cannot be
 * sent to a remote backend takes effect as the session ends there.
 */
export function releaseQuietly(grant: Grant | undefined): Promise<void> | undefined {
  return grant?.release()?.catch(() => {});
}
