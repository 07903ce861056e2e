/** What the arena's lock must know of other agents, and of the thread it is used in. */

import { UnavailableError } from '../../domain/errors.ts';
import { generationOf, markDead, stateOf } from './agents.ts';
import * as C from './control.ts';
import { hasGoneThread } from './liveness.ts';
import type { LockEnvironment } from './lock.ts';

/** So long the lock may be another's before its thread is thought to have ended unnoticed. */
export const lockMsMax = 5000;
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
  /** Whose the lock was found to be, and since when. */
  #owner = -1;
  #startMs = 0;
  /** Whom this thread has stood still for in vain, and when. */
  #givenUp = -1;
  #givenUpMs = 0;

  constructor(control: Int32Array, agent: number, maySleep: boolean) {
    this.#control = control;
    this.generation = generationOf(control, agent);
    this.maySleep = maySleep;
  }

  isDead(agent: number): boolean {
    return stateOf(this.#control, agent) === C.DEAD;
  }

  stillWaits(lookCount: number, owner: number): void {
    if (lookCount === 0 || owner !== this.#owner) {
      this.#owner = owner;
      this.#startMs = performance.now();
    }
    const isQuestion = this.maySleep && lookCount % looksPerQuestion === looksPerQuestion - 1;
    if (isQuestion && markDead(this.#control, owner, hasGoneThread)) return;
    const nowMs = performance.now();
    const limitMs = this.#limitMs(owner, nowMs);
    if (nowMs - this.#startMs < limitMs) return;
    this.#givenUp = owner;
    this.#givenUpMs = nowMs;
    throw new UnavailableError(
      `agent ${owner} has had the arena's lock for ${limitMs} ms, so its thread is ` +
        'stopped or has ended: nothing was done. Let this event loop run, so that it hears of ' +
        'the end of workers given to attachWorker()',
    );
  }

  #limitMs(owner: number, nowMs: number): number {
    if (this.maySleep) return lockMsMax;
    const isAgain = owner === this.#givenUp && nowMs - this.#givenUpMs < lockMsMax;
    return isAgain ? standAgainMsMax : standMsMax;
  }
}
