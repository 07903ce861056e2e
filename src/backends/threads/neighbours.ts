/** What the arena's lock must know of other agents, and of the thread it is used in. */

import { UnavailableError } from '../../api/errors.ts';
import * as L from '../../core/layout.ts';
import { realNowMs } from '../../runtime/real-time.ts';
import { generationOf, markDead, stateOf } from './agents.ts';
import * as C from './control.ts';
import { hasGoneThread } from './liveness.ts';
import type { LockEnvironment } from './lock.ts';

/**
 * So long the lock may be another's, and no operation may begin, before the owner's thread is
 * thought to have ended unnoticed. Of the time between two looks of the waiting thread at most a
 * slice counts: if more has passed, the waiting thread did not run either, as when the whole
 * process was stopped, and then nothing is known of the owner.
 */
export const lockMsMax = 5000;
/** As long as a thread sleeps for the lock, with some delay. */
const sliceMsMax = 25;
/** The same for a thread that may not sleep, and looks again and again. */
const sliceAwakeMsMax = 2;
/** So long a thread that may not sleep stands still for it, before its event loop has a turn. */
const standMsMax = 50;
/** And so long if it has just done so in vain. */
const standAgainMsMax = 2;
/** Every so many looks at a lock that is another's, the system is asked about its thread. */
const looksPerQuestion = 4;

export class Neighbours implements LockEnvironment {
  readonly generation: number;
  readonly maySleep: boolean;
  readonly #control: Int32Array;
  /** The header of core's words, which the owner of the lock changes. */
  readonly #words: Int32Array;
  /** Whose the lock was found to be, in which operation, when last, and for how long in all. */
  #owner = -1;
  #operation = 0;
  #lookedMs = 0;
  #waitedMs = 0;
  /** Whom this thread has stood still for in vain, and when. */
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

  stillWaits(lookCount: number, owner: number): void {
    const nowMs = realNowMs();
    const operation = Atomics.load(this.#words, L.JOURNAL_OPERATION);
    const isSame = owner === this.#owner && operation === this.#operation;
    if (lookCount > 0 && isSame) {
      const sliceMs = this.maySleep ? sliceMsMax : sliceAwakeMsMax;
      this.#waitedMs += Math.min(nowMs - this.#lookedMs, sliceMs);
    } else {
      this.#waitedMs = 0;
    }
    if (!isSame) this.#givenUp = -1;
    this.#owner = owner;
    this.#operation = operation;
    this.#lookedMs = nowMs;
    const isQuestion = this.maySleep && lookCount % looksPerQuestion === looksPerQuestion - 1;
    if (isQuestion && markDead(this.#control, owner, hasGoneThread)) return;
    const limitMs = this.#limitMs(owner, nowMs);
    if (this.#waitedMs < limitMs) return;
    this.#givenUp = owner;
    this.#givenUpMs = nowMs;
    throw new UnavailableError(
      `agent ${owner} has had the arena's lock for ${limitMs} ms, so its thread is ` +
        'stopped or has ended: nothing was done. Let this event loop run, so that it hears of ' +
        'the end of workers given to attachWorker()',
    );
  }

  #limitMs(owner: number, nowMs: number): number {
    const isAgain = owner === this.#givenUp && nowMs - this.#givenUpMs < lockMsMax;
    // What is owed is tried from timers, and between them the event loop must have its turns.
    if (this.maySleep) return isAgain ? standMsMax : lockMsMax;
    return isAgain ? standAgainMsMax : standMsMax;
  }
}
