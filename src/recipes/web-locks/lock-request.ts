/**
 * One request, from "request a lock" to the end of its callback; the steps are those of
 * https://w3c.github.io/web-locks/#algorithm-request-lock and the sections after it. The domain has
 * the queues and the rule.
 *
 *     waiting ──> due ──> running ──> over
 *        └─────────┴───────────────────^
 *
 * States only move forward, and every path ends in `over`, which fulfils or rejects the promise
 * once. *Due*: granted, or missed, and the task that calls back is queued. An abort before that
 * task still wins.
 */

import type { Domain } from '../../api/domain.ts';
import { isKdsError } from '../../api/errors.ts';
import { type Grant, type Waiter, whenLost } from '../../api/grant.ts';
import type { SetSpec } from '../../api/sets.ts';
import type { AbortListeners } from '../../runtime/abort-listeners.ts';
import {
  type CapturedContext,
  captureContext,
  detectContext,
  runInContext,
} from '../../runtime/async-context.ts';
import { publishEnd, publishGrant, publishMiss, publishStart } from './diagnostics.ts';
import { domException } from './dom-exception.ts';
import { queueTask } from './event-loop-task.ts';
import { createLock, type Lock } from './lock.ts';
import type { LockTerms } from './web-idl.ts';

/** State that the requests of one manager share. */
export interface LockAgent {
  readonly domain: Domain;
  readonly abortListeners: AbortListeners<LockRequest>;
  isClosed: boolean;
}

export class LockRequest {
  readonly #agent: LockAgent;
  readonly #terms: LockTerms;
  readonly #resolve: (value: unknown) => void;
  readonly #reject: (reason: unknown) => void;
  #state: 'waiting' | 'due' | 'running' | 'over' = 'waiting';
  #waiter: Waiter | undefined = undefined;
  #grant: Grant | undefined = undefined;
  /** The reason why its grant was lost before it was reported. */
  #lossReason: unknown = undefined;
  /** Context of the call of request(): the callback runs in it. */
  readonly #context: CapturedContext = captureContext();

  /** Makes a request and returns its promise. */
  static promise(agent: LockAgent, terms: LockTerms): Promise<unknown> {
    return new Promise((resolve, reject) => {
      new LockRequest(agent, terms, resolve, reject).#start();
    });
  }

  private constructor(
    agent: LockAgent,
    terms: LockTerms,
    resolve: (value: unknown) => void,
    reject: (reason: unknown) => void,
  ) {
    this.#agent = agent;
    this.#terms = terms;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** "Request a lock". Delivery is direct, as the callback has a task of its own to wait for. */
  #start(): void {
    const { domain } = this.#agent;
    const { ifAvailable, steal, signal } = this.#terms;
    publishStart(this.#terms);
    if (signal !== undefined && !this.#follow(signal)) return;
    const set = this.#set();
    if (ifAvailable) {
      domain.tryAcquire(set).then(this.#onGrant, this.#onNotTaken);
      return;
    }
    const options = { steal, delivery: 'direct', onRefused: this.#onRefused } as const;
    try {
      this.#waiter = domain.enqueue(set, this.#onGrant, options);
    } catch (error) {
      this.#onNotTaken(error);
    }
    // The request may have been aborted within that call.
    if (this.#isOver) this.#waiter?.cancel();
  }

  #set(): SetSpec {
    const { names, mode, units } = this.#terms;
    if (units !== undefined) {
      const list = typeof names === 'string' ? [names] : names;
      return { units: new Map(list.map((name) => [name, units])) };
    }
    return mode === 'shared' ? { shared: names } : { exclusive: names };
  }

  /** False if the request is over by the time that the signal has its listener. */
  #follow(signal: AbortSignal): boolean {
    try {
      if (!this.#agent.abortListeners.add(signal, this)) this.abort(signal.reason);
    } catch (error) {
      this.#fail(error);
    }
    return !this.#isOver;
  }

  get #isOver(): boolean {
    return this.#state === 'over';
  }

  /** The domain refused the call. */
  readonly #onNotTaken = (reason: unknown): void => {
    if (this.#state === 'over') return;
    const isClosed = isKdsError(reason, 'KDS_DOMAIN_CLOSED') && !this.#agent.isClosed;
    const message = 'the domain of the lock manager is closed';
    if (isClosed) this.#fail(domException('InvalidStateError', message, reason));
    else this.#onRefused(reason);
  };

  /** Null if `ifAvailable` is set and the lock is not available. */
  readonly #onGrant = (grant: Grant | null): void => {
    if (this.#isOver) {
      void grant?.release();
      return;
    }
    this.#grant = grant ?? undefined;
    this.#queueCall(grant !== null);
  };

  readonly #onRefused = (reason: unknown): void => {
    if (this.#state === 'over') return;
    const isLost = isKdsError(reason, 'KDS_GRANT_LOST');
    if (isLost && !this.#agent.isClosed) {
      // Granted and stolen in one operation: by the standard the callback is still called.
      this.#lossReason = reason;
      this.#queueCall(true);
      return;
    }
    const isEnded = isLost || isKdsError(reason, 'KDS_DOMAIN_CLOSED');
    this.#fail(isEnded ? this.#closedError(reason) : reason);
  };

  /** The part of "process the lock request queue" for one granted request. */
  #queueCall(isGranted: boolean): void {
    this.#state = 'due';
    queueTask(() => this.#call(isGranted));
  }

  #call(isGranted: boolean): void {
    if (this.#state !== 'due') return;
    if (this.#agent.isClosed) {
      this.#fail(this.#closedError(this.#grant?.signal.reason));
      return;
    }
    this.#state = 'running';
    this.#forgetSignal();
    if (isGranted) publishGrant(this.#terms);
    else publishMiss(this.#terms);
    const { callback } = this.#terms;
    const lock = isGranted ? this.#createLocks() : null;
    const call = (resolve: (value: unknown) => void): void => {
      resolve(runInContext(this.#context, callback, lock));
    };
    detectContext();
    const waiting = new Promise(call);
    if (isGranted) this.#followGrant();
    waiting.then(this.#onDone, this.#onFailed);
  }

  #createLocks(): Lock | readonly Lock[] {
    const { names, mode } = this.#terms;
    if (typeof names === 'string') return createLock(names, mode, this.#grant);
    return names.map((name) => createLock(name, mode, this.#grant));
  }

  /** From now on the loss of the lock, stolen or not, ends the request. */
  #followGrant(): void {
    if (this.#grant === undefined) {
      this.#fail(this.#lossError(this.#lossReason));
      return;
    }
    whenLost(this.#grant, (reason) => {
      if (this.#state !== 'over') this.#fail(this.#lossError(reason));
    });
  }

  /** The standard's step for the end of a lock's waiting promise. */
  readonly #onDone = (value: unknown): void => {
    this.#release(() => {
      publishEnd(this.#terms, undefined);
      this.#resolve(value);
    });
  };

  readonly #onFailed = (reason: unknown): void => {
    this.#release(() => {
      publishEnd(this.#terms, reason);
      this.#reject(reason);
    });
  };

  /** In a remote domain a release is a message; its failure does not change the outcome. */
  #release(report: () => void): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    const released = this.#grant?.release();
    if (released === undefined) report();
    else released.then(report, report);
  }

  /** "Signal to abort the request". */
  abort(reason: unknown): void {
    if (this.#state === 'over') return;
    if (this.#state === 'waiting') this.#waiter?.cancel();
    else this.#grant?.release();
    this.#fail(reason);
  }

  #fail(reason: unknown): void {
    this.#state = 'over';
    this.#forgetSignal();
    publishEnd(this.#terms, reason);
    this.#reject(reason);
  }

  #forgetSignal(): void {
    const { signal } = this.#terms;
    if (signal !== undefined) this.#agent.abortListeners.remove(signal, this);
  }

  #lossError(reason: unknown): DOMException {
    if (this.#agent.isClosed) return this.#closedError(reason);
    return domException('AbortError', 'the lock was stolen, or lost with its domain', reason);
  }

  #closedError(reason: unknown): DOMException {
    return domException('AbortError', 'the lock manager was closed', reason);
  }
}
