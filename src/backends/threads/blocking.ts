/**
 * Waiting as a synchronous caller: the thread sleeps until its set is granted, its time is over, it
 * is interrupted, or it is certain that no other thread could ever wake it.
 */

import { DeadlockError, InterruptedError, WaitTimeoutError } from '../../api/errors.ts';
import { outcomeOf } from '../../api/events.ts';
import type { AcquireSyncOptions, RequestOptions } from '../../api/options.ts';
import type { LocalGrant } from '../../local/grant.ts';
import type { Operations } from '../../local/operations.ts';
import { endWaitingSet, type LocalRequest, type RequestScope } from '../../local/request.ts';
import { cycleOf, describeBlockers, waitTimeout } from '../../report/blockers.ts';
import { realNowMs } from '../../runtime/real-time.ts';
import { noTerms } from '../../session/request-terms.ts';
import type { Agent } from './agent.ts';
import { agentsIn, declareDead, stateOf } from './agents.ts';
import { checkCount } from './arena.ts';
import * as C from './control.ts';
import { isPosted } from './inbox.ts';
import { hasGoneThread } from './liveness.ts';
import { thread } from './thread.ts';

/** Longest sleep before it checks whether the threads it waits for are still there. */
const sleepMsMax = 100;

/** The parts of a backend that a blocked thread works with. */
interface BlockingSource {
  readonly agent: Agent;
  readonly doorbells: {
    readonly own: { readonly isNotified: boolean; sleep(timeoutMs: number): void };
    notifyAfter(agent: number): void;
  };
  readonly operations: Operations;
  readonly owners: { agentOf(set: number): number };
  readonly section: {
    readonly inbox: { takeEarly(request: LocalRequest): LocalGrant | undefined };
    reap(agent: number): void;
  };
}

class BlockedRequest implements LocalRequest {
  readonly scope: RequestScope;
  readonly terms: RequestOptions;
  set: number;
  grant: LocalGrant | undefined = undefined;
  /** Why another thread has refused it. */
  refusal: Error | undefined = undefined;
  readonly #onRefused: () => void;

  constructor(scope: RequestScope, set: number, label: string | undefined, onRefused: () => void) {
    this.scope = scope;
    this.set = set;
    this.terms = { ...noTerms, label };
    this.#onRefused = onRefused;
  }

  granted(grant: LocalGrant): void {
    this.grant = grant;
  }

  /** The error is thrown where the thread goes on. */
  refused(reason: unknown): void {
    this.refusal = reason as Error;
    this.#onRefused();
  }
  settled(): void {}
  endWaiting(): void {}
}

export class Blocking {
  readonly #source: BlockingSource;

  constructor(source: BlockingSource) {
    this.#source = source;
  }

  /** Ends the operation in which `set` arrived. */
  wait(
    scope: RequestScope,
    set: number,
    { timeoutMs = Number.POSITIVE_INFINITY, spinUs = 0, label }: AcquireSyncOptions,
  ): LocalGrant {
    if (!thread.maySleep) return this.#refuse(set);
    const { delivery, port } = this.#source.operations;
    const startMs = realNowMs();
    // At once: the set is being freed, and other threads must not find it.
    const onRefused = (): void => this.#setBlocked(0, timeoutMs);
    const request = new BlockedRequest(scope, set, label, onRefused);
    port.owners.attach(request);
    this.#setBlocked(set, timeoutMs);
    this.#source.operations.commit();
    try {
      // Callers that are granted something meanwhile are notified when this thread goes on.
      return delivery.asOne(() => this.#untilGranted(request, startMs, { timeoutMs, spinUs }));
    } catch (error) {
      if (isOver(request)) throw error;
      // The lock cannot be had, so the set still waits, or is granted and never released.
      this.#setBlocked(0, timeoutMs);
      port.retries.later(error, () => this.#giveUp(request));
      throw error;
    }
  }

  /**
   * An agent goes on, without a grant. False if it is not blocked.
   *
   * @throws TypeError, RangeError, UnavailableError
   */
  interrupt(agent: number): boolean {
    const { doorbells, operations } = this.#source;
    const { control } = this.#source.agent;
    checkCount('agent', agent, 0, (control[C.AGENT_COUNT_MAX] as number) - 1);
    const at = C.wordsOfAgent(agent);
    operations.begin();
    const set = control[at + C.BLOCKED_SET] as number;
    // A thread that ended while it was blocked has left its set in the entry.
    const isLive = stateOf(control, agent) === C.LIVE;
    const { core } = operations;
    const isWaiting = set !== 0 && !core.isGranted(set) && !isPosted(core.memory.words, set);
    const isBlocked = isLive && isWaiting;
    if (isBlocked) {
      control[at + C.INTERRUPTED] = 1;
      doorbells.notifyAfter(agent);
    }
    operations.commit();
    return isBlocked;
  }

  #untilGranted(
    request: BlockedRequest,
    startMs: number,
    { timeoutMs, spinUs }: { readonly timeoutMs: number; readonly spinUs: number },
  ): LocalGrant {
    const { operations, section } = this.#source;
    for (let turn = 0; ; turn++) {
      const spinMs = turn === 0 ? Math.min(spinUs / 1000, timeoutMs) : 0;
      this.#sleep(startMs + spinMs, startMs + timeoutMs);
      if (turn > 0) this.#reapEnded();
      const grant = section.inbox.takeEarly(request);
      if (grant !== undefined) {
        this.#setBlocked(0, timeoutMs);
        return grant;
      }
      operations.begin();
      const outcome = request.grant ?? request.refusal;
      const error = outcome ?? this.#whyNoLonger(request, startMs, timeoutMs, turn);
      if (error === undefined) {
        operations.commit();
        continue;
      }
      this.#setBlocked(0, timeoutMs);
      if (request.grant === undefined) endWaitingSet(request, outcomeOf(error));
      operations.commit();
      if (request.grant !== undefined) return request.grant;
      throw error;
    }
  }

  /** No caller waits for its end any more. */
  #giveUp(request: BlockedRequest): void {
    const { operations } = this.#source;
    operations.begin();
    endWaitingSet(request, 'refused');
    request.grant?.release();
    operations.commit();
  }

  /** The main thread of a browser may not sleep, and is not to stand still. */
  #refuse(set: number): never {
    const { operations } = this.#source;
    const blockers = describeBlockers(operations.reader, set);
    operations.drop(set, 'timed-out');
    operations.commit();
    throw new WaitTimeoutError(
      `not granted at once, and this thread may not block: ${blockers}. ` +
        'Use acquire() or enqueue().',
    );
  }

  /** Until the doorbell is rung; not beyond a time, and not for long. */
  #sleep(spinUntilMs: number, untilMs: number): void {
    const { own } = this.#source.doorbells;
    do {
      if (own.isNotified) return;
    } while (realNowMs() < spinUntilMs);
    const leftMs = untilMs - realNowMs();
    if (leftMs > 0) own.sleep(Math.min(leftMs, sleepMsMax));
  }

  #whyNoLonger(
    request: LocalRequest,
    startMs: number,
    timeoutMs: number,
    turn: number,
  ): Error | undefined {
    const { agent, operations } = this.#source;
    const { core, reader } = operations;
    const { set } = request;
    const at = C.wordsOfAgent(agent.number);
    if (agent.control[at + C.INTERRUPTED] !== 0) {
      return new InterruptedError(`interrupted while it waited: ${describeBlockers(reader, set)}`);
    }
    if (realNowMs() - startMs >= timeoutMs) return waitTimeout(reader, set, timeoutMs);
    // Not at once: a thread that was granted something may just be about to release it.
    if (turn === 0 || timeoutMs !== Number.POSITIVE_INFINITY) return undefined;
    const cycle = core.findCycle(set, (kept) => this.#blockedForEver(kept));
    if (cycle.length === 0) return undefined;
    const { message, steps } = cycleOf(reader, cycle, request.terms.label);
    return new DeadlockError(`all of these threads block: ${message}`, steps);
  }

  /**
   * The set that the thread of the owner of `set` is blocked for without a limit. That thread
   * releases what it has, granted or yet to be granted, only when it goes on, and nothing but that
   * or an interruption ends such a cycle. A thread that runs, or sits in its event loop, may still
   * release: what it has is kept for no other set.
   */
  #blockedForEver(set: number): readonly number[] {
    const { agent, owners } = this.#source;
    const { control } = agent;
    const thread = control[C.wordsOfAgent(owners.agentOf(set)) + C.THREAD];
    for (const other of agentsIn(control, C.LIVE)) {
      const at = C.wordsOfAgent(other);
      const blocked = control[at + C.BLOCKED_SET];
      const isForEver = blocked !== 0 && control[at + C.BLOCKED_FOR_EVER] === 1;
      if (isForEver && control[at + C.THREAD] === thread && blocked !== set) return [blocked];
    }
    return [];
  }

  #setBlocked(set: number, timeoutMs: number): void {
    const { control, number } = this.#source.agent;
    const at = C.wordsOfAgent(number);
    control[at + C.BLOCKED_SET] = set;
    control[at + C.BLOCKED_FOR_EVER] = timeoutMs === Number.POSITIVE_INFINITY ? 1 : 0;
    control[at + C.INTERRUPTED] = 0;
    control[at + C.GRANTED_SET] = 0;
  }

  /** A thread that blocks is not notified of exits, so it asks the system. */
  #reapEnded(): void {
    const { control } = this.#source.agent;
    for (const agent of agentsIn(control, C.LIVE)) {
      if (declareDead(control, agent, hasGoneThread)) this.#source.section.reap(agent);
    }
  }
}

function isOver({ set, grant }: BlockedRequest): boolean {
  return set === 0 && grant === undefined;
}
