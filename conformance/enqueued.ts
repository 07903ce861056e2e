/** A request under test that was made with a callback: what that was told, and how often. */

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
  readonly #told: string[] = [];
  readonly #waiter: Waiter;
  readonly #ended: Promise<void>;
  #end: () => void = () => undefined;
  #grant: Grant | undefined;

  /** Asks, or throws. `told` is called within the callback, when the grant is known. */
  constructor(
    label: string,
    set: SetSpec | PreparedSet,
    options: EnqueueOptions,
    by: Domain,
    told: () => void,
  ) {
    this.label = label;
    this.by = by;
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    const onGrant = (grant: Grant) => {
      this.#grant = grant;
      this.#tell('granted');
      told();
    };
    const onRefused = (reason: unknown) => {
      this.reason = reason;
      this.#tell('refused');
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

  /** Stops waiting; says what the call came to. */
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

  /** That it was told of one end, or of none after it was cancelled. */
  checkOnce(): void {
    const expected = this.state === 'cancelled' || this.state === 'waiting' ? [] : [this.state];
    equal(this.#told, expected, `what ${this.label} was told`);
  }

  #tell(state: 'granted' | 'refused'): void {
    this.#told.push(state);
    if (this.state === 'waiting') this.state = state;
    this.#end();
  }
}
