/** A flip: one frame's way to the screen. */

import type { Grant, Waiter } from '../../api/grant.ts';
import type { ResourceRef } from '../../api/sets.ts';

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
  #end: { readonly outcome: FlipOutcome | 'refused'; readonly error: unknown } | undefined;
  #told: Settling | undefined;

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
    this.#told ??= new Settling();
    if (this.#end !== undefined) this.#told.settle(this.#end.outcome, this.#end.error);
    return this.#told.promise;
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
    // A refusal that nobody looks at is an unhandled rejection, as of any promise.
    if (outcome === 'refused') this.#told ??= new Settling();
    this.#told?.settle(outcome, error);
  }
}

/** A promise of an outcome; settling it again does nothing. */
class Settling {
  readonly promise: Promise<FlipOutcome>;
  #resolve!: (outcome: FlipOutcome) => void;
  #reject!: (reason: unknown) => void;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  settle(outcome: FlipOutcome | 'refused', error: unknown): void {
    if (outcome === 'refused') this.#reject(error);
    else this.#resolve(outcome);
  }
}
