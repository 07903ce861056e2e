/**
 * The time of grace, if the term before ended while clients were connected. Holders then claim
 * their grants; all other requests are deferred, and admitted at its end: first those that had a
 * position at the last broker, in that order, then the others as they came. So nothing is granted
 * that a live client still holds, if that client comes in time. Capacities are declared before
 * them, as they need those; other calls are answered after them.
 */

import type { Clock } from '../../../runtime/clock.ts';
import { capacityBytesMax, capacityCountMax } from '../wire/limits.ts';
import type { LiveRequest } from './live-request.ts';
import { Reclaims } from './reclaims.ts';

/** The connection of a deferred request. */
interface Admitting {
  /** Requests it from the domain, as if it arrived now. */
  admit(request: LiveRequest): void;
}

/** The time goes by in steps of at most this, ms: a step that lasts longer counts as one. */
const stepMsMax = 50;

/** Several clients may declare the same capacities. */
const declarationsFactor = 4;

export class Grace {
  readonly reclaims = new Reclaims();
  readonly #clock: Clock;
  #leftMs = 0;
  #deferred: { readonly by: Admitting; readonly request: LiveRequest }[] = [];
  #declarations: { readonly order: number; readonly run: () => void }[] = [];
  #declaredBytes = 0;
  #calls: (() => void)[] = [];

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
   * `order`: that a declaration had at the last broker; 0 for a new one. False if there are too
   * many, or too large ones.
   */
  deferDeclaration(order: number, byteCount: number, run: () => void): boolean {
    const bytesMax = declarationsFactor * capacityBytesMax;
    if (this.#declaredBytes + byteCount > bytesMax) return false;
    if (this.#declarations.length >= declarationsFactor * capacityCountMax) return false;
    this.#declaredBytes += byteCount;
    this.#declarations.push({ order, run });
    return true;
  }

  deferCall(run: () => void): void {
    this.#calls.push(run);
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
    const declarations = this.#declarations;
    const calls = this.#calls;
    this.#deferred = [];
    this.#declarations = [];
    this.#calls = [];
    sortByPosition(declarations, ({ order }) => order);
    for (const { run } of declarations) run();
    sortByPosition(deferred, ({ request }) => request.queuePosition);
    for (const { by, request } of deferred) by.admit(request);
    for (const run of calls) run();
  }
}

/** Those without a position, 0, come last, as they came. */
function sortByPosition<T>(items: T[], positionOf: (item: T) => number): void {
  const order = (item: T): number => positionOf(item) || Number.POSITIVE_INFINITY;
  // Infinity less Infinity is no number, so 0.
  items.sort((one, other) => order(one) - order(other) || 0);
}
