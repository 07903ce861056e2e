/**
 * The seeds of one run of a simulation. All simulations together have one budget of CPU seconds, so
 * a slow or busy machine simulates fewer worlds, and never fails for being slow.
 *
 *     KDS_SIM_SEED=123            that world alone, with its log
 *     KDS_SIM_SEEDS=50000         that many worlds
 *     KDS_SIM_CPU_SECONDS=600     as many worlds as that budget allows; default 60
 */

const { env } = process;

const cpuSecondsDefault = 60;

export interface SeedsOptions {
  /** Part of the budget: the shares of all simulations are 1. */
  readonly share: number;
  /** So many worlds at least, which show all faults that the simulation has. */
  readonly countMin: number;
}

export class Seeds {
  /** One world is repeated, with its log. */
  readonly isRepeat: boolean;
  readonly first: number;
  /** Number of seeds that were taken. */
  count = 0;
  readonly #countMin: number;
  readonly #countGiven: number | undefined;
  readonly #cpuUsMax: number;

  constructor({ share, countMin }: SeedsOptions) {
    const { KDS_SIM_SEED: seed, KDS_SIM_SEEDS: count, KDS_SIM_CPU_SECONDS: seconds } = env;
    this.isRepeat = seed !== undefined;
    this.first = Number(seed ?? Math.floor(Math.random() * 2 ** 40));
    this.#countMin = countMin;
    this.#countGiven = this.isRepeat ? 1 : count === undefined ? undefined : Number(count);
    this.#cpuUsMax = Number(seconds ?? cpuSecondsDefault) * share * 1e6;
  }

  /** Whether enough worlds were simulated for each fault to have occurred. */
  get areMany(): boolean {
    return this.count >= this.#countMin;
  }

  *[Symbol.iterator](): Generator<number> {
    console.info(`worlds from KDS_SIM_SEED=${this.first} on`);
    const start = process.cpuUsage();
    const isLeft = (): boolean => {
      if (this.#countGiven !== undefined) return this.count < this.#countGiven;
      const { user, system } = process.cpuUsage(start);
      return !this.areMany || user + system < this.#cpuUsMax;
    };
    while (isLeft()) {
      this.count++;
      yield this.first + this.count - 1;
    }
  }
}
