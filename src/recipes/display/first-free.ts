/**
 * A request for the first buffer that is free: a request for each buffer, until one is granted.
 *
 * A time limit ends each of them for itself, with a limit of 0 within the call. So the whole is
 * refused only when the last one is. Any other refusal applies to all of them, and ends the others.
 */

import type { Domain } from '../../api/domain.ts';
import { isKdsError } from '../../api/errors.ts';
import type { Grant, Waiter } from '../../api/grant.ts';
import type { EnqueueOptions } from '../../api/options.ts';
import type { AcquireBufferOptions } from './display-options.ts';
import { type DisplayBuffer, releaseQuietly } from './flip.ts';

/** A buffer, exclusive. */
interface AcquiredBuffer<B, G> {
  readonly buffer: B;
  readonly grant: G;
}

export class FirstFree<B extends DisplayBuffer, G extends Grant> {
  readonly #domain: Domain<G>;
  readonly #waiters = new Set<Waiter>();
  #resolve: (acquired: AcquiredBuffer<B, G>) => void = () => {};
  #reject: (reason: unknown) => void = () => {};
  #isOver = false;
  /** Requests that have not been refused. */
  #openCount = 0;

  constructor(domain: Domain<G>) {
    this.#domain = domain;
  }

  start(buffers: readonly B[], options: AcquireBufferOptions): Promise<AcquiredBuffer<B, G>> {
    const own = { ...options };
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#openCount = buffers.length;
      for (const buffer of buffers) {
        if (this.#isOver) break;
        this.#request(buffer, own);
      }
    });
  }

  /** Ends it, unless a buffer is granted. */
  refuse(reason: unknown): void {
    if (this.#isOver) return;
    this.#end();
    this.#reject(reason);
  }

  #request(buffer: B, own: AcquireBufferOptions): void {
    const onRefused = (reason: unknown): void => this.#refused(reason);
    const options: EnqueueOptions = { ...own, delivery: 'direct', onRefused };
    const set = { exclusive: buffer.resource };
    try {
      const waiter = this.#domain.enqueue(set, (grant) => this.#granted(buffer, grant), options);
      // The call may have run code of the caller's, which may have ended all.
      if (this.#isOver) waiter.cancel();
      else this.#waiters.add(waiter);
    } catch (error) {
      this.#refused(error);
    }
  }

  #refused(reason: unknown): void {
    this.#openCount--;
    if (this.#openCount === 0 || !isKdsError(reason, 'KDS_WAIT_TIMEOUT')) this.refuse(reason);
  }

  #granted(buffer: B, grant: G): void {
    // Several buffers may be released at the same time.
    if (this.#isOver) {
      void releaseQuietly(grant);
      return;
    }
    this.#end();
    this.#resolve({ buffer, grant });
  }

  #end(): void {
    this.#isOver = true;
    for (const waiter of this.#waiters) waiter.cancel();
    this.#waiters.clear();
  }
}
