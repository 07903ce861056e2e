/**
 * The interface of a domain, whatever its backend. The domain itself is the outermost session; all
 * sessions of a domain share one {@link RequestPort}.
 *
 * All that runs code of the caller is here: options and sets are read once and completely, and the
 * signal is checked last. From then on, until the port returns, no code of the caller runs.
 */

import type { Capability, Session } from '../api/domain.ts';
import type { Waiter } from '../api/grant.ts';
import {
  type AcquireOptions,
  checkCallbackOpen,
  checkRunFunction,
  type EnqueueOptions,
  holdingList,
  type RequestOptions,
  readEnqueueOptions,
  readOptions,
  type SettledOptions,
  throwIfAborted,
} from '../api/options.ts';
import { foreignHolding } from '../api/refusals.ts';
import type { PreparedSet, Resource, ResourceRef, SetSpec } from '../api/sets.ts';
import type { Snapshot } from '../api/snapshot.ts';
import { type Capacity, type CapacitySpec, readCapacity } from '../api/units.ts';
import type { OwnGrant, RequestPort } from './request-port.ts';
import { labelOf, noneHeld, noOptions, termsOf } from './request-terms.ts';
import type { SessionOptions } from './session-tree.ts';

interface Scope<C> {
  readonly label: string | undefined;
  checkOpen(): void;
  open(options: SessionOptions): C;
}

export class DomainSession<G extends OwnGrant, Q, C extends Scope<C>, S extends Snapshot = Snapshot>
  implements Session<G>
{
  /** @internal */
  readonly requests: RequestPort<G, Q, C, S>;
  /** @internal */
  readonly scope: C;

  constructor(requests: RequestPort<G, Q, C, S>, scope: C) {
    this.requests = requests;
    this.scope = scope;
  }

  get label(): string | undefined {
    return this.scope.label;
  }

  get capabilities(): ReadonlySet<Capability> {
    return this.requests.capabilities;
  }

  acquire(set: SetSpec | PreparedSet, options: AcquireOptions = noOptions): Promise<G> {
    const { requests } = this;
    try {
      const terms = termsOf(options);
      const held = this.heldBy(terms.holding);
      return requests.acquire(this.scope, this.read(set, terms), terms, held);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  tryAcquire(set: SetSpec | PreparedSet, options?: { label?: string }): Promise<G | null> {
    const { requests } = this;
    try {
      const label = labelOf(options);
      return requests.tryAcquire(this.scope, requests.resources.read(set), label);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async run<R>(
    set: SetSpec | PreparedSet,
    optionsOrFn: AcquireOptions | ((grant: G) => R | Promise<R>),
    maybeFn?: (grant: G) => R | Promise<R>,
  ): Promise<R> {
    const [options, fn] =
      typeof optionsOrFn === 'function' ? [noOptions, optionsOrFn] : [optionsOrFn, maybeFn];
    checkRunFunction(fn);
    const grant = await this.acquire(set, options);
    const { heldContext } = this.requests;
    // It may have been lost since, and granted to another request.
    if (!grant.isHeld) throw grant.signal.reason;
    try {
      const given = heldContext === undefined ? fn(grant) : heldContext.run(grant, () => fn(grant));
      // What cannot be a promise ends the hold at once, not a turn later.
      const result = typeof given === 'object' || typeof given === 'function' ? await given : given;
      // The result was not made in exclusion.
      if (grant.isLost) throw grant.signal.reason;
      return result;
    } finally {
      grant.release();
    }
  }

  enqueue(
    set: SetSpec | PreparedSet,
    onGrant: (grant: G) => void,
    options: EnqueueOptions = noOptions,
  ): Waiter {
    const { requests } = this;
    const own = readEnqueueOptions(onGrant, options);
    const terms = termsOf(options);
    const held = this.heldBy(terms.holding);
    const requested = this.read(set, terms);
    checkCallbackOpen(own.callback);
    const callback = requests.callbacks.read(own);
    return requests.enqueue(this.scope, requested, terms, held, callback, onGrant);
  }

  prepare(set: SetSpec): PreparedSet {
    this.scope.checkOpen();
    return this.requests.resources.prepare(set);
  }

  resource(name?: string): Resource {
    this.scope.checkOpen();
    return this.requests.resources.handle(name);
  }

  session(options: SessionOptions = noOptions as object): DomainSession<G, Q, C, S> {
    return new DomainSession(this.requests, this.scope.open(options));
  }

  settled(set: SetSpec | PreparedSet, options: SettledOptions = noOptions): Promise<void> {
    try {
      const terms = readOptions(options);
      return this.requests.settled(this.scope, this.read(set, terms), terms);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  setCapacity(ref: ResourceRef, capacity: CapacitySpec): void | Promise<void> {
    return this.requests.setCapacity(this.scope, ref, readCapacity(capacity));
  }

  capacity(ref: ResourceRef): Capacity | undefined | Promise<Capacity | undefined> {
    return this.requests.capacity(ref);
  }

  /** A closed session can be asked as well. */
  query(): Promise<S> {
    return this.requests.query();
  }

  close(): Promise<void> {
    return this.requests.close(this.scope);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private read(set: SetSpec | PreparedSet, terms: RequestOptions): Q {
    const requested = this.requests.resources.read(set);
    if (terms.signal !== undefined) throwIfAborted(terms);
    return requested;
  }

  private heldBy(holding: RequestOptions['holding']): readonly G[] {
    const { heldContext } = this.requests;
    return holding === undefined && heldContext === undefined
      ? noneHeld
      : this.#listHeld(heldContext?.grants ?? noneHeld, holding);
  }

  #listHeld(around: readonly G[], holding: RequestOptions['holding']): readonly G[] {
    const { requests } = this;
    return [...around, ...holdingList(holding)].map((grant) => {
      if (requests.isOwn(grant)) return grant;
      throw foreignHolding(grant);
    });
  }
}
