/**
 * Waiting as a synchronous caller: the thread sleeps until its set is granted, its time is over, it
 * is interrupted, or it is certain that nobody could ever wake it.
 */

import { DeadlockError, InterruptedError, WaitTimeoutError } from '../../api/errors.ts';
import { outcomeOf } from '../../api/events.ts';
import type { AcquireSyncOptions, RequestOptions } from '../../api/options.ts';
import type { HostGrant } from '../../local/grant.ts';
import { type HostRequest, leave } from '../../local/request.ts';
import type { LocalScope } from '../../local/scope.ts';
import { cycleOf, describeBlockers, waitTimeout } from '../../report/blockers.ts';
import { realNowMs } from '../../runtime/real-time.ts';
import { noTerms } from '../../session/request-terms.ts';
import { agentsIn, markDead } from './agents.ts';
import * as C from './control.ts';
import type { ThreadsHost } from './host.ts';
import { hasGoneThread } from './liveness.ts';
import { thread } from './thread.ts';

/** It wakes so often to see whether those it waits for are still there. */
const sleepMsMax = 100;

class BlockedRequest implements HostRequest {
  readonly scope: LocalScope;
  readonly terms: RequestOptions;
  set: number;
  grant: HostGrant | undefined = undefined;

  constructor(scope: LocalScope, set: number, label: string | undefined) {
    this.scope = scope;
    this.set = set;
    this.terms = { ...noTerms, label };
  }

  granted(grant: HostGrant): void {
    this.grant = grant;
  }

  /** The error is thrown where the thread goes on. */
  refused(): void {}
  settled(): void {}
  endWaiting(): void {}
}

/** Ends the operation in which `set` arrived. */
export function blockFor(
  host: ThreadsHost,
  scope: LocalScope,
  set: number,
  { timeoutMs = Number.POSITIVE_INFINITY, spinUs = 0, label }: AcquireSyncOptions,
): HostGrant {
  if (!thread.maySleep) return refuse(host, set);
  const startMs = realNowMs();
  const request = new BlockedRequest(scope, set, label);
  host.tag(request);
  noteBlocked(host, set, timeoutMs);
  host.leave();
  try {
    // Whoever else is granted something meanwhile is told when this thread goes on.
    return host.delivery.asOne(() => untilGranted(host, request, startMs, { timeoutMs, spinUs }));
  } catch (error) {
    if (isOver(request)) throw error;
    // The lock cannot be had, so the set still waits, or is granted: nobody would ever release it.
    noteBlocked(host, 0, timeoutMs);
    host.owe(error, () => giveUp(host, request));
    throw error;
  }
}

function untilGranted(
  host: ThreadsHost,
  request: BlockedRequest,
  startMs: number,
  { timeoutMs, spinUs }: { readonly timeoutMs: number; readonly spinUs: number },
): HostGrant {
  for (let turn = 0; ; turn++) {
    const spinMs = turn === 0 ? Math.min(spinUs / 1000, timeoutMs) : 0;
    sleep(host, startMs + spinMs, startMs + timeoutMs);
    if (turn > 0) buryTheGone(host);
    const grant = host.heardOf(request);
    if (grant !== undefined) {
      noteBlocked(host, 0, timeoutMs);
      return grant;
    }
    host.enter();
    const error = request.grant ?? whyNoLonger(host, request, startMs, timeoutMs, turn);
    if (error === undefined) {
      host.leave();
      continue;
    }
    noteBlocked(host, 0, timeoutMs);
    if (request.grant === undefined) leave(request, outcomeOf(error));
    host.leave();
    if (request.grant !== undefined) return request.grant;
    throw error;
  }
}

/** The agent goes on, without a grant. False if it is not blocked. */
export function interrupt(host: ThreadsHost, agent: number): boolean {
  const { control, core } = host;
  const at = C.wordsOfAgent(agent);
  host.enter();
  const set = control[at + C.BLOCKED_SET] as number;
  const isBlocked = set !== 0 && !core.isGranted(set);
  if (isBlocked) {
    control[at + C.INTERRUPTED] = 1;
    host.ringAfter(agent);
  }
  host.leave();
  return isBlocked;
}

function isOver({ set, grant }: BlockedRequest): boolean {
  return set === 0 && grant === undefined;
}

/** Nobody waits for its end any more. */
function giveUp(host: ThreadsHost, request: BlockedRequest): void {
  host.enter();
  leave(request, 'refused');
  request.grant?.release();
  host.leave();
}

/** The main thread of a browser may not sleep, and is not to stand still. */
function refuse(host: ThreadsHost, set: number): never {
  const inTheWay = describeBlockers(host.reader, set);
  host.drop(set, 'timed-out');
  host.leave();
  throw new WaitTimeoutError(
    `not granted at once, and this thread may not block: ${inTheWay}. Use acquire() or enqueue().`,
  );
}

/** Until the bell is rung; not beyond a time, and not for long. */
function sleep({ bell }: ThreadsHost, spinUntilMs: number, untilMs: number): void {
  do {
    if (bell.isRung) return;
  } while (realNowMs() < spinUntilMs);
  const leftMs = untilMs - realNowMs();
  if (leftMs > 0) bell.sleep(Math.min(leftMs, sleepMsMax));
}

function whyNoLonger(
  host: ThreadsHost,
  request: HostRequest,
  startMs: number,
  timeoutMs: number,
  turn: number,
): Error | undefined {
  const { set } = request;
  const at = C.wordsOfAgent(host.agent);
  if (host.control[at + C.INTERRUPTED] !== 0) {
    return new InterruptedError(
      `interrupted while it waited: ${describeBlockers(host.reader, set)}`,
    );
  }
  if (realNowMs() - startMs >= timeoutMs) return waitTimeout(host.reader, set, timeoutMs);
  // Not at once: whoever was granted something may just be about to let it go.
  if (turn === 0 || timeoutMs !== Number.POSITIVE_INFINITY) return undefined;
  const circle = host.core.findCircle(set, (kept) => blockedForEver(host, kept));
  if (circle.length === 0) return undefined;
  const { message, steps } = cycleOf(host.reader, circle, request.terms.label);
  return new DeadlockError(`all of these threads block: ${message}`, steps);
}

/**
 * The set that the thread of whoever owns `set` is blocked for without a limit. Whatever that
 * thread has, granted or yet to be granted, it lets go of only when it goes on, and nothing but
 * that or an interruption ends such a circle. A thread that runs, or sits in its event loop, may
 * still let go: what it has is kept for nobody.
 */
function blockedForEver(host: ThreadsHost, set: number): readonly number[] {
  const { control } = host;
  const thread = control[C.wordsOfAgent(host.agentOf(set)) + C.THREAD];
  for (const agent of agentsIn(control, C.LIVE)) {
    const at = C.wordsOfAgent(agent);
    const blocked = control[at + C.BLOCKED_SET];
    const isForEver = blocked !== 0 && control[at + C.BLOCKED_FOR_EVER] === 1;
    if (isForEver && control[at + C.THREAD] === thread && blocked !== set) return [blocked];
  }
  return [];
}

function noteBlocked({ control, agent }: ThreadsHost, set: number, timeoutMs: number): void {
  const at = C.wordsOfAgent(agent);
  control[at + C.BLOCKED_SET] = set;
  control[at + C.BLOCKED_FOR_EVER] = timeoutMs === Number.POSITIVE_INFINITY ? 1 : 0;
  control[at + C.INTERRUPTED] = 0;
  control[at + C.GRANTED_SET] = 0;
}

/** A thread that blocks does not hear of exits, so it asks the system. */
function buryTheGone(host: ThreadsHost): void {
  for (const agent of agentsIn(host.control, C.LIVE)) {
    if (markDead(host.control, agent, hasGoneThread)) host.bury(agent);
  }
}
