/**
 * The arena's lock: one word, robust.
 *
 *     0          free
 *     n          owned by agent n - 1
 *     n | WAITED owned, and other threads may sleep on the word
 *
 * The higher bits of n are the generation of the agent's entry. Without them a slow thread that has
 * seen that the owner is dead would take the lock from a new agent with the same entry.
 *
 * To take it: 0 becomes n. A thread that fails to take the lock spins, then sets WAITED and sleeps.
 * A thread that has slept takes it with WAITED set, since others may sleep too. To release it: the
 * word becomes 0, and if WAITED was set, one sleeper is woken. (Drepper, "Futexes are tricky", the
 * third mutex, with an owner.)
 *
 * If the owner has died, a thread that knows that changes the owner's number to its own, in one
 * step, so only one thread does. The operation that the owner died in is then in the journal. A
 * sleeper may die just as it is woken, and wake no other: so no thread sleeps for longer than
 * `sleepMs` without a check, and a thread that reaps an agent wakes all.
 */

/** Atomics, or a stand-in that lets a test choose the thread that makes the next step. */
export type Steps = Pick<
  typeof Atomics,
  'load' | 'store' | 'compareExchange' | 'exchange' | 'add' | 'wait' | 'notify'
>;

const WAITED = 1 << 30;
const ownerBits = 11;
const ownerMask = 2 ** ownerBits - 1;
const spinCountDefault = 200;
const sleepMs = 20;

export interface LockEnvironment {
  /** Number of checks before going to sleep. Default 200. */
  readonly spinCount?: number;
  /** Number of agents that have had the entry. Default 0; needed where entries are used again. */
  readonly generation?: number;
  /** Whether this thread may sleep; the main thread of a browser may not. */
  readonly maySleep: boolean;
  /** Whether an agent is known to have ended without releasing the lock. */
  isDead(agent: number): boolean;
  /**
   * The lock belongs to another agent. `checkCount` earlier checks of this call of `take` found
   * that too. May throw, to give up.
   */
  stillWaits(checkCount: number, owner: number): void;
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
    this.#mine = (agent + 1) | ((generation << ownerBits) & ~WAITED & 0x7fffffff);
    this.#environment = environment;
    this.#steps = steps;
  }

  /**
   * Waits until the lock is taken. Returns the agent that it was taken from as that was dead, or
   * -1. Throws what `stillWaits` throws, and then the lock is not taken.
   */
  take(): number {
    return this.tryTake() ? -1 : this.#takeContended();
  }

  /** Takes the lock if it is free. */
  tryTake(): boolean {
    return this.#steps.compareExchange(this.#control, this.#at, 0, this.#mine) === 0;
  }

  letGo(): void {
    const before = this.#steps.exchange(this.#control, this.#at, 0);
    if ((before & WAITED) !== 0) this.#steps.notify(this.#control, this.#at, 1);
  }

  /** All sleepers check again: one of them may have died as it was woken. */
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
    const mine = this.#mine | (maySleep ? WAITED : 0);
    for (let checkCount = 0; ; ) {
      const found = steps.load(control, at);
      if (found === 0) {
        if (steps.compareExchange(control, at, 0, mine) === 0) return -1;
        continue;
      }
      const owner = (found & ownerMask) - 1;
      if (this.#environment.isDead(owner)) {
        // Others may sleep on the owner's word.
        const taken = this.#mine | WAITED;
        if (steps.compareExchange(control, at, found, taken) === found) return owner;
        continue;
      }
      try {
        this.#environment.stillWaits(checkCount++, owner);
      } catch (error) {
        // This thread may have been woken, and wakes the next one instead.
        steps.notify(control, at, 1);
        throw error;
      }
      if (!maySleep) continue;
      const asleep = found | WAITED;
      const isSet = found === asleep || steps.compareExchange(control, at, found, asleep) === found;
      if (isSet) steps.wait(control, at, asleep, sleepMs);
    }
  }
}
