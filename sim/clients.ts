/** The clients of a simulated world: they come, are stopped and killed, and end. */

import type { ClientSurroundings, Host, SimulatedClient } from './client.ts';
import type { GrantSeen } from './grants.ts';
import type { SeededRandom } from './random.ts';

/** Rates of clients' clocks against the server's: within what the lease allows for. */
export const rateMin = 0.92;
const rateMax = 1.08;
const countMax = 6;

/** What the clients of a world do, by chance: which sets they request, how often, for how long. */
export function randomHabits(random: SeededRandom, leaseMs: number) {
  return {
    names: ['a', 'b', 'c', 'd'].slice(0, random.between(1, 4)),
    roundCount: random.between(1, 4),
    holdMsMax: random.pick([5, 50, leaseMs / 3, 1.5 * leaseMs]),
    steals: random.chance(0.2),
  };
}

/** In half of the worlds some of the resources have a capacity. */
export function withUnits(random: SeededRandom, habits: ReturnType<typeof randomHabits>) {
  if (random.chance(0.5)) return habits;
  const [declared, asserted] = ['gpu', 'job'];
  const units = {
    ...{ declared, asserted },
    capacities: random.pick([[3], [2, 4], [1, 2, 5]]),
    assertions: random.pick([[2], [3], [2, 3]]),
  };
  return { ...habits, names: [...habits.names.slice(0, 2), declared, asserted], units };
}

/** The faults of a world. */
export interface Trouble {
  /** For how long faults occur, ms. */
  readonly ms: number;
  /** Time, ms, that clients have afterwards, besides that of their requests. */
  readonly quietMs: number;
  /** Faults begin. */
  disturb(): void;
  /** They end; may be called again. */
  calmDown(): void;
  /** The state of the backend, for the violation. */
  describe(): string;
}

export class SimulatedClients<H extends Host> {
  readonly #around: ClientSurroundings;
  readonly #create: (number: number, rate: number) => SimulatedClient<H>;
  readonly #all: SimulatedClient<H>[] = [];

  /** `create`: a client whose number grows with each, and whose clock has a rate. */
  constructor(
    around: ClientSurroundings,
    create: (number: number, rate: number) => SimulatedClient<H>,
  ) {
    this.#around = around;
    this.#create = create;
  }

  /** Those that are over too. */
  get all(): readonly SimulatedClient<H>[] {
    return this.#all;
  }

  add(): void {
    const rate = this.#around.world.random.real(rateMin, rateMax);
    const client = this.#create(this.#all.length + 1, rate);
    this.#all.push(client);
    client.start();
  }

  /** One more client in place of a killed one, up to a number. */
  replace(): void {
    if (this.#all.length < countMax) this.add();
  }

  /** One that is not over, if there is any. */
  someone(): SimulatedClient<H> | undefined {
    const living = this.#all.filter((client) => !client.isOver);
    return living.length === 0 ? undefined : this.#around.world.random.pick(living);
  }

  /** Stops a client for up to two leases. */
  stop(client: SimulatedClient<H> | undefined): void {
    if (client === undefined) return;
    client.machine.stop();
    const { world, leaseMs } = this.#around;
    world.clock.after(world.random.real(1, 2 * leaseMs), () => client.machine.resume());
  }

  /** Fails the world unless the grants of a killed client pass on in time, if others are there. */
  expectSuccessors(
    { machine }: SimulatedClient<H>,
    boundMs: number,
    liveGrants: () => readonly GrantSeen[],
  ): void {
    const { world } = this.#around;
    const killedAtMs = world.nowMs;
    world.clock.after(boundMs, () => {
      const isWatched = this.#all.some((other) => !other.isOver && other.openedAtMs < killedAtMs);
      const left = liveGrants();
      world.check(!isWatched || left.length === 0, () => {
        return `${machine.name} is dead for ${boundMs.toFixed(0)} ms, and holds ${left[0]?.token}`;
      });
    });
  }

  /**
   * Some clients start, and faults occur for a while; then, in quiet, all clients end.
   *
   * @throws Violation if some are not over in time.
   */
  async runThrough(trouble: Trouble): Promise<void> {
    const { world } = this.#around;
    const count = world.random.between(2, 4);
    for (let index = 0; index < count; index++) this.add();
    trouble.disturb();
    world.clock.after(trouble.ms, () => trouble.calmDown());
    await this.#run(trouble.ms + trouble.quietMs, () => trouble.describe());
    trouble.calmDown();
  }

  /** Until all are over. `baseMs`: the time that they have besides that of their requests, ms. */
  async #run(baseMs: number, describeState: () => string): Promise<void> {
    const { world, leaseMs, holdMsMax, roundCount } = this.#around;
    const lastMs = baseMs + 30 * leaseMs + 60 * roundCount * holdMsMax;
    const areOver = (): boolean => this.#all.every((client) => client.isOver);
    await world.run(lastMs, areOver);
    if (areOver()) return;
    const late = this.#all.filter((client) => !client.isOver);
    const waiting = late.map(({ machine, waitingFor }) => `${machine.name} for ${waitingFor}`);
    throw world.violation(`still waiting: ${waiting.join(', ')}; there is ${describeState()}`);
  }
}
