/**
 * A request that waits: with a promise, with a callback, or as an observer. It ends exactly once
 * (I7): it is granted, cancelled or refused. `set` is its set in core while it waits, and 0 from
 * then on.
 */

import type { RequestOutcome } from '../api/events.ts';
import type { Waiter } from '../api/grant.ts';
import type { RequestOptions } from '../api/options.ts';
import type { TimeLimit } from '../runtime/time-limits.ts';
import { throwUncaught } from '../runtime/uncaught.ts';
import { CallbackReport, type CallbackTerms } from '../session/callback-report.ts';
import type { RequestReport } from '../session/request-report.ts';
import { noTerms } from '../session/request-terms.ts';
import type { GrantScope, GrantSource, LocalGrant } from './grant.ts';

/** The session that a request came through. */
export interface RequestScope extends GrantScope {
  readonly backend: RequestSource;
  readonly tracked: Tracked | undefined;
}

interface Tracked {
  add(object: LocalRequest | LocalGrant): unknown;
  delete(object: LocalRequest | LocalGrant): unknown;
}

/** The operations that requests and their grants use. */
interface RequestSource extends GrantSource {
  readonly timeLimits: { add(timeoutMs: number, request: LocalRequest): TimeLimit<LocalRequest> };
  readonly signals: {
    add(signal: AbortSignal, request: LocalRequest): boolean;
    remove(signal: AbortSignal, request: LocalRequest): void;
  };
  drop(set: number, outcome: RequestOutcome): void;
}

/** Few requests have any: what only such a request needs is kept here. */
interface WaitTerms extends RequestOptions {
  timeLimit?: TimeLimit<LocalRequest>;
  /** Of its promise. */
  reject?: (reason: unknown) => void;
}

export interface LocalRequest extends RequestReport<LocalGrant> {
  readonly scope: RequestScope;
  readonly terms: WaitTerms;
  set: number;
}

/**
 * Each of the two functions of a promise is an eighth of the memory of a request. So one without
 * terms keeps no `reject`: only an event of the domain, such as its end, can refuse it. Requests
 * that are refused by such an event have their promises follow a rejected one: all of them two
 * microtasks later than by `reject`, so in their order.
 */
export class PromiseRequest implements LocalRequest {
  readonly scope: RequestScope;
  readonly terms: WaitTerms;
  set: number;
  private readonly resolve: (grant: LocalGrant | Promise<never>) => void;

  /** `resolve` receives no grant if the request is settled. */
  constructor(
    scope: RequestScope,
    set: number,
    terms: WaitTerms,
    resolve: (grant: LocalGrant | Promise<never>) => void,
    reject: (reason: unknown) => void,
  ) {
    this.scope = scope;
    this.terms = terms;
    this.set = set;
    this.resolve = resolve;
    if (terms !== noTerms) terms.reject = reject;
  }

  granted(grant: LocalGrant): void {
    this.resolve(grant);
  }

  refused(reason: unknown, isOfMany = false): void {
    const { reject } = this.terms;
    if (reject === undefined || isOfMany) this.resolve(Promise.reject(reason));
    else reject(reason);
  }

  settled(): void {
    (this.resolve as () => void)();
  }

  endWaiting(): void {}
}

export class CallbackRequest extends CallbackReport<LocalGrant> implements LocalRequest, Waiter {
  readonly scope: RequestScope;
  readonly terms: WaitTerms;
  set = 0;

  constructor(
    scope: RequestScope,
    terms: WaitTerms,
    callback: CallbackTerms,
    onGrant: (grant: LocalGrant) => void,
  ) {
    super(callback, onGrant);
    this.scope = scope;
    this.terms = terms;
  }

  cancel(): boolean {
    return (this.set !== 0 && endWaitingSet(this, 'cancelled')) || this.cancelDue();
  }
}

/** Its time limit begins to run. Within the operation in which its set arrived. */
export function startTimeLimit(request: LocalRequest): void {
  const { terms, scope } = request;
  const { timeoutMs } = terms;
  if (timeoutMs === undefined || timeoutMs === Number.POSITIVE_INFINITY) return;
  terms.timeLimit = scope.backend.timeLimits.add(timeoutMs, request);
}

/**
 * It ends as soon as its signal aborts. After the operation in which its set arrived, as this runs
 * code of the caller; so it may have been granted by then, or may be while this runs.
 *
 * @throws what a signal throws that takes no listener. Then the request has ended.
 */
export function followSignal(request: LocalRequest, signal: AbortSignal): void {
  if (request.set === 0) return;
  let isWaiting: boolean;
  try {
    isWaiting = request.scope.backend.signals.add(signal, request);
  } catch (error) {
    if (endWaitingSet(request, 'refused')) throw error;
    throwUncaught(error);
    return;
  }
  if (!isWaiting && endWaitingSet(request, 'cancelled')) request.refused(signal.reason);
}

/** It waits no more: its timer and its listener are removed. */
export function endWaiting(request: LocalRequest): void {
  const { scope, terms } = request;
  request.set = 0;
  scope.tracked?.delete(request);
  if (terms !== noTerms) {
    terms.timeLimit?.cancel();
    if (terms.signal !== undefined) scope.backend.signals.remove(terms.signal, request);
  }
  request.endWaiting();
}

/** Its set ends, ungranted. False if it has ended before. */
export function endWaitingSet(request: LocalRequest, outcome: RequestOutcome): boolean {
  const { backend } = request.scope;
  backend.begin();
  const { set } = request;
  if (set !== 0) {
    endWaiting(request);
    backend.drop(set, outcome);
  }
  backend.commit();
  return set !== 0;
}
