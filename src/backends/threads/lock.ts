/**
 * The arena's lock: one word, robust.
 *
 *     0          nobody has it
 *     n          agent n - 1 has it
 *     n | waited and others may sleep on the word
 *
 * n also says, in higher bits, how many agents there have been at that place: otherwise who has
 * seen that the owner is dead, and is slow, would take the lock from a newcomer at the dead one's
 * place.
 *
 * To take it: 0 becomes n. Who fails spins for a while, then notes that he waits and sleeps. Who
 * has slept takes it as "waited", since he cannot know whether others sleep too. To let it go:
 * whatever it is becomes 0, and if it was waited for, one sleeper is woken. (Drepper, "Futexes are
 * tricky", the third mutex, with an owner.)
 *
 * If the owner has died, whoever knows that changes the dead one's number to his own, in one step,
 * so only one does. What the dead one was about is then in the journal. A sleeper may die just as
 * he is woken, and wake nobody further: so nobody sleeps for longer than `sleepMs` without a look,
 * and who buries the dead wakes all.
 */

/** Atomics, or a stand-in that lets a test choose who makes the next step. */
export type Steps = Pick<
  typeof Atomics,
  'load' | 'store' | 'compareExchange' | 'exchange' | 'add' | 'wait' | 'notify'
>;

const waited = 1 << 30;
const ownerBits = 11;
const ownerMask = 2 ** ownerBits - 1;
const spinCountDefault = 200;
const sleepMs = 20;

export interface LockEnvironment {
  /** How often to look before going to sleep. Default 200. */
  readonly spinCount?: number;
  /** How many agents have been at this place. Default 0; needed where places are used again. */
  readonly generation?: number;
  /** Whether this thread may sleep; the main thread of a browser may not. */
  readonly maySleep: boolean;
  /** Whether an agent is known to have ended without letting go. */
  isDead(agent: number): boolean;
  /**
   * It has been found to be another's: so many times before, by this call of `take`, beginning with
   * 0. May throw, to give up.
   */
  stillWaits(lookCount: number, owner: number): void;
}

export class ArenaLock {
  readonly #control: Int32Array;
  readonly #at: number;
  readonly #mine: number;
  readonly #environment: LockEnvironment;
  readonly #steps: Steps;

  constructor(
    control: Int32Array,
    at: number,
    agent: number,
    environment: LockEnvironment,
    steps: Steps = Atomics,
  ) {
    this.#control = control;
    this.#at = at;
    const { generation = 0 } = environment;
    this.#mine = (agent + 1) | ((generation << ownerBits) & ~waited & 0x7fffffff);
    this.#environment = environment;
    this.#steps = steps;
  }

  /**
   * Waits until it is ours. Returns the agent that it was taken from because it had died, or -1.
   * Throws what `stillWaits` throws, and then it is not ours.
   */
  take(): number {
    if (this.#steps.compareExchange(this.#control, this.#at, 0, this.#mine) === 0) return -1;
    return this.#takeContended();
  }

  letGo(): void {
    const before = this.#steps.exchange(this.#control, this.#at, 0);
    if ((before & waited) !== 0) this.#steps.notify(this.#control, this.#at, 1);
  }

  /** Everybody looks again: some sleeper may have died as he was woken. */
  wakeAll(): void {
    this.#steps.notify(this.#control, this.#at);
  }

  #takeContended(): number {
    const { spinCount = spinCountDefault } = this.#environment;
    for (let turn = 0; turn < spinCount; turn++) {
      if (this.#steps.load(this.#control, this.#at) !== 0) continue;
      if (this.#steps.compareExchange(this.#control, this.#at, 0, this.#mine) === 0) return -1;
    }
    return this.#takeAsleep();
  }

  #takeAsleep(): number {
    const { maySleep } = this.#environment;
    const steps = this.#steps;
    const control = this.#control;
    const at = this.#at;
    const mine = this.#mine | (maySleep ? waited : 0);
    for (let lookCount = 0; ; ) {
      const found = steps.load(control, at);
      if (found === 0) {
        if (steps.compareExchange(control, at, 0, mine) === 0) return -1;
        continue;
      }
      const owner = (found & ownerMask) - 1;
      if (this.#environment.isDead(owner)) {
        // Others may sleep on the dead one's word.
        const taken = this.#mine | waited;
        if (steps.compareExchange(control, at, found, taken) === found) return owner;
        continue;
      }
      try {
        this.#environment.stillWaits(lookCount++, owner);
      } catch (error) {
        // He may have been woken, and owes that to the next.
        steps.notify(control, at, 1);
        throw error;
      }
      if (!maySleep) continue;
      const asleep = found | waited;
      const isNoted =
        found === asleep || steps.compareExchange(control, at, found, asleep) === found;
      if (isNoted) steps.wait(control, at, asleep, sleepMs);
    }
  }
}
