/** A flip: one frame's way to the screen. */

import type { Grant, Waiter } from '../../domain/grant.ts';
import type { ResourceRef } from '../../domain/sets.ts';

/** Whatever has a resource: a buffer of kds/buffers, say. */
export interface DisplayBuffer {
  readonly resource: ResourceRef;
}

export type FlipState =
  /** Waits for its grant: the producer is not through. */
  | 'pending'
  /** Granted: the frame is whole, and waits for its vsync. */
  | 'ready'
  /** Told to the screen, which takes it at the next vsync; the one before is still read. */
  | 'latched'
  | 'shown'
  /** It was shown, and the next one is. */
  | 'replaced'
  | FlipFailure;

/** Why a frame was never shown. */
export type FlipFailure =
  /** A newer frame was ready first (mailbox). */
  | 'dropped'
  /** Its producer took longer than the deadline. */
  | 'expired'
  /** Its producer failed, or died: what is in the buffer is half done. */
  | 'failed'
  | 'cancelled'
  /** It would have waited for ever, or the domain was closed: `outcome` rejects with the reason. */
  | 'refused';

/** How a flip ended: 'shown', or why not. */
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

export interface Flip<B extends DisplayBuffer = DisplayBuffer> {
  /** As given to `present`, or one more than the last. */
  readonly number: number;
  readonly buffer: B;
  readonly state: FlipState;
  /**
   * 'shown', as soon as the screen shows it; or why it never will be. Rejects with DeadlockError or
   * DomainClosedError if it was refused.
   */
  readonly outcome: Promise<FlipOutcome>;
  /** True if it had not been latched: then it never is. */
  cancel(): boolean;
}

export class QueuedFlip<B extends DisplayBuffer, G extends Grant> implements Flip<B> {
  readonly id: number;
  readonly number: number;
  readonly buffer: B;
  /** By which a snapshot tells it from all others. */
  readonly label: string;
  state: FlipState = 'pending';
  waiter: Waiter | undefined;
  grant: G | undefined;
  /** From when its deadline counts. */
  sinceMs = Number.NaN;
  readyMs = Number.NaN;
  /** What was on the screen when it was last looked for a circle. */
  checkedAgainst: unknown;
  readonly #cancel: (flip: QueuedFlip<B, G>) => boolean;
  #error: unknown;
  #settled: FlipOutcome | 'refused' | undefined;
  #outcome: Promise<FlipOutcome> | undefined;
  #resolve: ((outcome: FlipOutcome) => void) | undefined;
  #reject: ((reason: unknown) => void) | undefined;

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
    this.#outcome ??= new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      if (this.#settled !== undefined) this.#settle(this.#settled, this.#error);
    });
    return this.#outcome;
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
    this.#settle(state as FlipOutcome | 'refused', error);
  }

  #settle(outcome: FlipOutcome | 'refused', error: unknown): void {
    this.#settled = outcome;
    this.#error = error;
    if (outcome !== 'refused') this.#resolve?.(outcome);
    // An error that nobody looks at is an unhandled rejection, as of any promise.
    else if (this.#outcome === undefined) void this.outcome;
    else this.#reject?.(error);
  }
}
