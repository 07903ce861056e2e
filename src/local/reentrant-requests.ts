/**
 * Requests of a domain with `nested: 'reentrant'`: what a grant around a request covers is
 * requested in the inner domain of that grant, of the innermost such grant. So a nested request
 * does not wait for the grant around it, and excludes its siblings.
 */

import type { AcquireSyncOptions, RequestOptions } from '../api/options.ts';
import { listsOf } from '../api/read-set.ts';
import type { CallbackTerms } from '../session/callback-report.ts';
import { LocalGrant } from './grant.ts';
import { LocalRequests } from './requests.ts';
import type { RequestedSet } from './resources.ts';
import type { LocalScope } from './scope.ts';
import type { LocalSession } from './session.ts';

/** Where a nested request queues. */
interface Inner {
  readonly requests: LocalRequests;
  readonly scope: LocalScope;
  readonly set: RequestedSet;
}

export class ReentrantRequests extends LocalRequests {
  /** Also a nested grant: its caller holds the one around it. */
  override isOwn(grant: unknown): grant is LocalGrant {
    return super.isOwn(grant) || (grant instanceof LocalGrant && this.isOwn(outerOf(grant)));
  }

  override acquire(
    scope: LocalScope,
    set: RequestedSet,
    terms: RequestOptions,
    held: readonly LocalGrant[],
  ): Promise<LocalGrant> {
    const inner = this.#innerOf(scope, set);
    if (inner === undefined) return super.acquire(scope, set, terms, this.#heldIn(this, held));
    return inner.requests.acquire(
      inner.scope,
      inner.set,
      terms,
      this.#heldIn(inner.requests, held),
    );
  }

  override enqueue(
    scope: LocalScope,
    set: RequestedSet,
    terms: RequestOptions,
    held: readonly LocalGrant[],
    callback: CallbackTerms,
    onGrant: (grant: LocalGrant) => void,
  ) {
    const inner = this.#innerOf(scope, set);
    if (inner === undefined) {
      return super.enqueue(scope, set, terms, this.#heldIn(this, held), callback, onGrant);
    }
    const { requests } = inner;
    const { delivery } = requests.operations;
    const kept = this.#heldIn(requests, held);
    return requests.enqueue(
      inner.scope,
      inner.set,
      terms,
      kept,
      { ...callback, delivery },
      onGrant,
    );
  }

  override try(
    scope: LocalScope,
    set: RequestedSet,
    bits: number,
    label: string | undefined,
  ): LocalGrant | null {
    const inner = this.#innerOf(scope, set);
    return inner === undefined
      ? super.try(scope, set, bits, label)
      : inner.requests.try(inner.scope, inner.set, bits, label);
  }

  override acquireSync(
    scope: LocalScope,
    set: RequestedSet,
    terms: RequestOptions,
    options: AcquireSyncOptions,
  ): LocalGrant {
    const inner = this.#innerOf(scope, set);
    return inner === undefined
      ? super.acquireSync(scope, set, terms, options)
      : inner.requests.acquireSync(inner.scope, inner.set, terms, options);
  }

  /** Undefined if no grant around the request covers its set. */
  #innerOf(scope: LocalScope, requested: RequestedSet): Inner | undefined {
    scope.checkOpen();
    const lists = listsOf(requested);
    const around = this.heldContext?.around.findLast(
      (grant) => this.isOwn(grant) && grant.covers(lists),
    );
    if (around === undefined) return undefined;
    around.inner.meter(lists);
    const { requests, scope: inner } = around.inner.domain as LocalSession;
    return { requests, scope: inner, set: requests.resources.read(lists) };
  }

  /** What a request in one of the domains keeps of that domain. */
  #heldIn({ operations, heldContext }: LocalRequests, held: readonly LocalGrant[]) {
    const kept = new Set(heldContext?.grants);
    for (const grant of held) {
      for (let at: unknown = grant; at instanceof LocalGrant; at = outerOf(at)) {
        if (at.scope.backend === operations) kept.add(at);
      }
    }
    return [...kept];
  }
}

function outerOf(grant: LocalGrant): unknown {
  return grant.scope.backend.outer;
}
