/** A request under test that was made with a callback, and the calls of the callback. */

import type { Domain } from '../src/api/domain.ts';
import type { Grant, Waiter } from '../src/api/grant.ts';
import type { EnqueueOptions } from '../src/api/options.ts';
import type { PreparedSet, SetSpec } from '../src/api/sets.ts';
import { check, equal, within } from './assertions.ts';

export class Enqueued {
  readonly label: string;
  readonly by: Domain;
  state: 'waiting' | 'granted' | 'refused' | 'cancelled' = 'waiting';
  reason: unknown;
  /** Every call of its callbacks. */
  readonly #calls: string[] = [];
  readonly #waiter: Waiter;
  readonly #ended: Promise<void>;
  #end: () => void = () => undefined;
  #grant: Grant | undefined;

  /** Makes the request, or throws. `reported` is called within the callback. */
  constructor(
    label: string,
    set: SetSpec | PreparedSet,
    options: EnqueueOptions,
    by: Domain,
    reported: () => void,
  ) {
    this.label = label;
    this.by = by;
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    const onGrant = (grant: Grant) => {
      this.#grant = grant;
      this.#record('granted');
      reported();
    };
    const onRefused = (reason: unknown) => {
      this.reason = reason;
      this.#record('refused');
    };
    this.#waiter = by.enqueue(set, onGrant, { label, onRefused, ...options });
  }

  /** The grant, of one that is known to have it. */
  get grant(): Grant {
    check(this.#grant !== undefined, `${this.label} is ${this.state}`);
    return this.#grant;
  }

  async granted(): Promise<Grant> {
    await within(this.#ended, `the callback of ${this.label}`);
    return this.grant;
  }

  /** What it is refused with, whatever that is. */
  async refusal(): Promise<unknown> {
    await within(this.#ended, `the refusal of ${this.label}`);
    equal(this.state, 'refused', this.label);
    return this.reason;
  }

  async release(): Promise<void> {
    await (await this.granted()).release();
    await this.by.query();
  }

  /** Cancels the request; returns the result of that. */
  cancel(): boolean {
    const isCancelled = this.#waiter.cancel();
    if (isCancelled) {
      equal(this.state, 'waiting', `${this.label}, whose cancel() returned true`);
      this.state = 'cancelled';
      this.#end();
    }
    return isCancelled;
  }

  /** However it stands: afterwards nothing is held or waits. */
  async end(): Promise<void> {
    if (this.state === 'waiting') this.cancel();
    await within(this.#ended, `the end of ${this.label}`);
    await this.#grant?.release();
  }

  /** Checks that its end was reported once, or not after a cancel. */
  checkOnce(): void {
    const expected = this.state === 'cancelled' || this.state === 'waiting' ? [] : [this.state];
    equal(this.#calls, expected, `calls of the callbacks of ${this.label}`);
  }

  #record(state: 'granted' | 'refused'): void {
    this.#calls.push(state);
    if (this.state === 'waiting') this.state = state;
    this.#end();
  }
}
