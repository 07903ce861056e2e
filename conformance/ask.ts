/** A request under test: its set, its state and its end. */

import type { Domain } from '../src/api/domain.ts';
import type { Grant } from '../src/api/grant.ts';
import type { AcquireOptions } from '../src/api/options.ts';
import type { PreparedSet, SetSpec } from '../src/api/sets.ts';
import { check, type ErrorKind, isError, within } from './assertions.ts';

export class Ask {
  readonly label: string;
  readonly by: Domain;
  state: 'waiting' | 'granted' | 'refused' = 'waiting';
  reason: unknown;
  readonly #controller = new AbortController();
  readonly #ended: Promise<void>;
  #grant: Grant | undefined;

  /** Makes the request. `onGrant` is called before promises of `granted()` are fulfilled. */
  constructor(
    label: string,
    set: SetSpec | PreparedSet,
    options: AcquireOptions,
    by: Domain,
    onGrant: (ask: Ask) => void,
  ) {
    this.label = label;
    this.by = by;
    const acquired = by.acquire(set, { label, signal: this.#controller.signal, ...options });
    this.#ended = acquired.then(
      (grant) => {
        this.state = 'granted';
        this.#grant = grant;
        onGrant(this);
      },
      (reason) => {
        this.state = 'refused';
        this.reason = reason;
      },
    );
  }

  /** The grant, of one that is known to have it. */
  get grant(): Grant {
    check(this.#grant !== undefined, `${this.label} is ${this.state}`);
    return this.#grant;
  }

  async granted(): Promise<Grant> {
    await within(this.#ended, `the grant of ${this.label}`);
    if (this.state === 'refused') throw this.reason;
    return this.grant;
  }

  /** The error that it is refused with. */
  async refused(kind: ErrorKind): Promise<Error> {
    return isError(await this.refusal(), kind, this.label);
  }

  /** What it is refused with, whatever that is. */
  async refusal(): Promise<unknown> {
    await within(this.#ended, `the refusal of ${this.label}`);
    check(this.state === 'refused', `${this.label} is granted, and should be refused`);
    return this.reason;
  }

  async release(): Promise<void> {
    await (await this.granted()).release();
    await this.by.query();
  }

  /** Stops waiting, if it has no signal of its own. */
  async cancel(): Promise<void> {
    this.#controller.abort();
    await within(this.#ended, `the end of ${this.label}`);
    await this.by.query();
  }

  /** However it stands: afterwards nothing is held or waits. */
  async end(): Promise<void> {
    if (this.state === 'waiting') this.#controller.abort();
    await within(this.#ended, `the end of ${this.label}`);
    await this.#grant?.release();
  }
}
