/**
 * One request, from "request a lock" to the end of its callback; the steps are those of
 * https://w3c.github.io/web-locks/#algorithm-request-lock and the sections after it. Queues, and
 * who is grantable, are the domain's.
 *
 *     waiting ──> due ──> running ──> over
 *        └─────────┴───────────────────^
 *
 * Only forward, and every way ends in `over`, which settles the promise, once. *Due*: granted, or
 * missed, and the task that calls back is queued. Whoever aborts until then wins.
 */

import type { Domain } from '../../api/domain.ts';
import { isKdsError } from '../../api/errors.ts';
import type { Grant, Waiter } from '../../api/grant.ts';
import type { AbortListeners } from '../../runtime/abort-listeners.ts';
import {
  type CapturedContext,
  captureContext,
  lookForContext,
  runInContext,
} from '../../runtime/async-context.ts';
import { publishEnd, publishGrant, publishMiss, publishStart } from './diagnostics.ts';
import { domException } from './dom-exception.ts';
import { queueTask } from './event-loop-task.ts';
import { createLock, type Lock } from './lock.ts';
import type { LockTerms } from './web-idl.ts';

/** What the requests of one manager share. */
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
  /** Its lock was taken away before the grant was told of. */
  #lostBy: unknown = undefined;
  /** Of the call of request(): the callback runs in that one. */
  readonly #context: CapturedContext = captureContext();

  /** Returns the promise of the request, which is made at once. */
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
    const { names, mode, ifAvailable, steal, signal } = this.#terms;
    publishStart(this.#terms);
    const set = mode === 'shared' ? { shared: names } : { exclusive: names };
    if (signal !== undefined && !this.#follow(signal)) return;
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
    // It may have been aborted within that call.
    if (this.#isOver) this.#waiter?.cancel();
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

  /** The domain does not even let it wait. */
  readonly #onNotTaken = (reason: unknown): void => {
    if (this.#state === 'over') return;
    const isClosed = isKdsError(reason, 'KDS_DOMAIN_CLOSED') && !this.#agent.isClosed;
    const message = 'the domain of the lock manager is closed';
    if (isClosed) this.#fail(domException('InvalidStateError', message, reason));
    else this.#onRefused(reason);
  };

  /** Null if it was to be had at once, and was not. */
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
      // Granted and stolen at one moment: by the standard it is called back all the same.
      this.#lostBy = reason;
      this.#queueCall(true);
      return;
    }
    const isEnded = isLost || isKdsError(reason, 'KDS_DOMAIN_CLOSED');
    this.#fail(isEnded ? this.#endedBy(reason) : reason);
  };

  /** "Process the lock request queue", as far as it concerns one request that is granted. */
  #queueCall(isGranted: boolean): void {
    this.#state = 'due';
    queueTask(() => this.#call(isGranted));
  }

  #call(isGranted: boolean): void {
    if (this.#state !== 'due') return;
    if (this.#agent.isClosed) {
      this.#fail(this.#endedBy(this.#grant?.signal.reason));
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
    lookForContext();
    const waiting = new Promise(call);
    if (isGranted) this.#watch();
    waiting.then(this.#onDone, this.#onFailed);
  }

  #createLocks(): Lock | readonly Lock[] {
    const { names, mode } = this.#terms;
    if (typeof names === 'string') return createLock(names, mode, this.#grant);
    return names.map((name) => createLock(name, mode, this.#grant));
  }

  /** From now on, whoever steals the lock, and whatever else takes it away, ends the request. */
  #watch(): void {
    if (this.#grant === undefined) {
      this.#fail(this.#takenAwayBy(this.#lostBy));
      return;
    }
    const { signal } = this.#grant;
    const lose = (): void => {
      if (this.#state !== 'over') this.#fail(this.#takenAwayBy(signal.reason));
    };
    if (signal.aborted) lose();
    else signal.addEventListener('abort', lose);
  }

  /** "When lock's waiting promise settles". */
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

  /** Far away it takes a while; whether it succeeds is between the domain and who comes next. */
  #release(settle: () => void): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    const released = this.#grant?.release();
    if (released === undefined) settle();
    else released.then(settle, settle);
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

  #takenAwayBy(reason: unknown): DOMException {
    if (this.#agent.isClosed) return this.#endedBy(reason);
    return domException('AbortError', 'the lock was stolen, or lost with its domain', reason);
  }

  #endedBy(reason: unknown): DOMException {
    return domException('AbortError', 'the lock manager was closed', reason);
  }
}
