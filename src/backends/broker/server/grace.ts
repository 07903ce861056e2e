/**
 * The time of grace, if the term before ended while clients were connected. Holders then claim
 * their grants; all other requests are deferred, and admitted at its end: first those that had a
 * position at the last broker, in that order, then the others as they came. So nothing is granted
 * that a live client still holds, if that client comes in time.
 */

import type { Clock } from '../../../runtime/clock.ts';
import type { LiveRequest } from './live-request.ts';
import { Reclaims } from './reclaims.ts';

/** The connection of a deferred request. */
interface Admitting {
  /** Requests it from the domain, as if it arrived now. */
  admit(request: LiveRequest): void;
}

/** The time goes by in steps of at most this, ms: a step that lasts longer counts as one. */
const stepMsMax = 50;

export class Grace {
  readonly reclaims = new Reclaims();
  readonly #clock: Clock;
  #leftMs = 0;
  #deferred: { readonly by: Admitting; readonly request: LiveRequest }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `onEnd` is called once the deferred requests are admitted. */
  begin(graceMs: number, onEnd: () => void): void {
    this.#leftMs = Math.max(1, graceMs);
    this.#pass(() => {
      this.reclaims.clear();
      this.#admitAll();
      onEnd();
    });
  }

  /** Whether what was held can be claimed, and other requests are deferred. */
  get isOn(): boolean {
    return this.#leftMs > 0;
  }

  /** Time left, ms; 0 if it is over. */
  get leftMs(): number {
    return Math.ceil(this.#leftMs);
  }

  defer(by: Admitting, request: LiveRequest): void {
    this.#deferred.push({ by, request });
  }

  /**
   * After a standstill of the process a timer fires before the claims that have arrived meanwhile
   * are read. So only time in which the process runs counts.
   */
  #pass(onOver: () => void): void {
    const stepMs = Math.min(this.#leftMs, stepMsMax);
    this.#clock.after(stepMs, () => {
      this.#leftMs -= stepMs;
      if (this.isOn) this.#pass(onOver);
      else onOver();
    });
  }

  #admitAll(): void {
    const deferred = this.#deferred;
    this.#deferred = [];
    const positionOf = ({ queuePosition }: LiveRequest): number =>
      queuePosition || Number.POSITIVE_INFINITY;
    // Those without a position stay as they came: Infinity less Infinity is no number, so 0.
    deferred.sort((a, b) => positionOf(a.request) - positionOf(b.request) || 0);
    for (const { by, request } of deferred) by.admit(request);
  }
}
