/** What the arena's lock asks about other agents, and about the thread it is used in. */

import { UnavailableError } from '../../api/errors.ts';
import * as L from '../../core/layout.ts';
import { realNowMs } from '../../runtime/real-time.ts';
import { declareDead, generationOf, stateOf } from './agents.ts';
import * as C from './control.ts';
import { hasGoneThread } from './liveness.ts';
import type { LockEnvironment } from './lock.ts';

/**
 * Time for which another agent may have the lock while no operation begins, ms: after that its
 * thread is thought to have ended unnoticed. Of the time between two checks of the waiting thread
 * at most a slice counts: if more has passed, the waiting thread did not run either, as when the
 * whole process was stopped, and then the state of the owner is unknown.
 */
export const lockMsMax = 5000;
/** As long as a thread sleeps for the lock, with some delay. */
const sliceMsMax = 25;
/** The same for a thread that may not sleep, and checks repeatedly. */
const sliceAwakeMsMax = 2;
/** Longest time a thread that may not sleep spins for it before its event loop has a turn, ms. */
const spinMsMax = 50;
/** The same for the next try, while the lock has the same owner. */
const spinAgainMsMax = 2;
/** Number of checks of a lock between two queries of the system about its owner. */
const checksPerQuery = 4;

export class ArenaLockEnvironment implements LockEnvironment {
  readonly generation: number;
  readonly maySleep: boolean;
  readonly #control: Int32Array;
  /** The header of core's words, which the owner of the lock changes. */
  readonly #words: Int32Array;
  /** Owner found by the last check, its operation, the time of that check, and the time waited. */
  #owner = -1;
  #operation = 0;
  #checkedMs = 0;
  #waitedMs = 0;
  /** Owner that this thread gave up on, and when. */
  #givenUp = -1;
  #givenUpMs = 0;

  constructor(control: Int32Array, agent: number, maySleep: boolean) {
    this.#control = control;
    this.#words = new Int32Array(control.buffer, control.byteLength, L.HEADER_WORDS);
    this.generation = generationOf(control, agent);
    this.maySleep = maySleep;
  }

  isDead(agent: number): boolean {
    return stateOf(this.#control, agent) === C.DEAD;
  }

  stillWaits(checkCount: number, owner: number): void {
    const nowMs = realNowMs();
    const operation = Atomics.load(this.#words, L.JOURNAL_OPERATION);
    const isSame = owner === this.#owner && operation === this.#operation;
    if (checkCount > 0 && isSame) {
      const sliceMs = this.maySleep ? sliceMsMax : sliceAwakeMsMax;
      this.#waitedMs += Math.min(nowMs - this.#checkedMs, sliceMs);
    } else {
      this.#waitedMs = 0;
    }
    if (!isSame) this.#givenUp = -1;
    this.#owner = owner;
    this.#operation = operation;
    this.#checkedMs = nowMs;
    const isQuery = this.maySleep && checkCount % checksPerQuery === checksPerQuery - 1;
    if (isQuery && declareDead(this.#control, owner, hasGoneThread)) return;
    const limitMs = this.#limitMs(owner, nowMs);
    if (this.#waitedMs < limitMs) return;
    this.#givenUp = owner;
    this.#givenUpMs = nowMs;
    throw new UnavailableError(
      `agent ${owner} has had the arena's lock for ${limitMs} ms, so its thread is ` +
        'stopped or has ended: nothing was done. Let this event loop run, so that the end of ' +
        'workers given to attachWorker() is noticed',
    );
  }

  #limitMs(owner: number, nowMs: number): number {
    const isAgain = owner === this.#givenUp && nowMs - this.#givenUpMs < lockMsMax;
    // Retries come from timers, and between them the event loop must have its turns.
    if (this.maySleep) return isAgain ? spinMsMax : lockMsMax;
    return isAgain ? spinAgainMsMax : spinMsMax;
  }
}
