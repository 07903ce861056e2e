/**
 * One simulated run of the broker: some clients, the brokers that they start, the computer that all
 * of them run on, and faults, all of it from one seed; then quiet, until all requests have ended,
 * the last broker too, and nothing is left.
 *
 * It is bundled with node-fs.ts and its like in place of what Node has (test/sim/worlds.ts).
 */

import { serveDomain } from '../../src/backends/broker/server/broker.ts';
import { createServedDomain } from '../../src/backends/process/domain.ts';
import { Checker } from '../checker.ts';
import { type ClientSurroundings, SimulatedClient } from '../client.ts';
import { randomHabits, SimulatedClients, withUnits } from '../clients.ts';
import { Disturbances } from '../disturbances.ts';
import { FencedStore, plainFence } from '../fenced-store.ts';
import { Machine } from '../machine.ts';
import { inVirtualTime, World, WorldFailure } from '../world.ts';
import { type FaultProfile, type ProfileName, profileOf } from './fault-profile.ts';
import { type BrokerClient, BrokerHost, folder, program, socketPath } from './host.ts';
import { BrokerMonitor } from './monitor.ts';
import { System, setSystem } from './system.ts';

const troubleMs = 4000;
/** Until a client that was cut off knows that its grant is lost: it connects again meanwhile. */
const undoneNotifiedMsMax = 1500;

interface Outcome {
  readonly profile: ProfileName;
  readonly lines: readonly string[];
  readonly sectionCount: number;
  readonly brokerCount: number;
  readonly claimedCount: number;
  readonly recoveredCount: number;
  readonly takenCount: number;
  readonly overlapsExcused: number;
  readonly staleRefusedCount: number;
  readonly unitLookCount: number;
  readonly sharedLookCount: number;
  readonly upgradedCount: number;
}

interface RunOptions {
  /** Keep a log. Default false. */
  readonly log?: boolean;
  /** Instead of the one that the seed would have. */
  readonly profile?: ProfileName | undefined;
}

/** Runs the world of a seed. Throws a {@link WorldFailure} if anything is wrong in it. */
export async function runBrokerWorld(seed: number, options: RunOptions = {}): Promise<Outcome> {
  const world = new World(seed, options);
  const simulated = new BrokerWorld(world, options);
  try {
    return await inVirtualTime(world.clock, () => simulated.run(), simulated.timers);
  } catch (error) {
    throw new WorldFailure(error, world);
  }
}

/** A program that runs as a broker. */
interface BrokerProcess {
  readonly machine: Machine;
  /** Ends it, as a signal does; undefined while it does not serve. */
  close: (() => void) | undefined;
  onEnd(): void;
}

class BrokerWorld {
  readonly #world: World;
  readonly #profile: FaultProfile;
  readonly #system: System;
  readonly #monitor: BrokerMonitor;
  readonly #checker: Checker;
  readonly #store: FencedStore;
  readonly #around: ClientSurroundings;
  readonly #clients: SimulatedClients<BrokerHost>;
  readonly #disturbances: Disturbances;
  readonly #idleMs: number;
  readonly #graceMs: number;
  readonly #brokers = new Set<BrokerProcess>();
  readonly #machines = new Map<string, Machine>();
  #brokerCount = 0;

  constructor(world: World, { profile }: RunOptions) {
    const { random } = world;
    this.#world = world;
    this.#profile = profileOf(random, profile);
    this.#idleMs = random.pick([0, 100, 1000]);
    const graceMs = random.pick([500, 2000]);
    this.#graceMs = graceMs;
    const { quality } = this.#profile;
    this.#system = new System(world, quality);
    this.#monitor = new BrokerMonitor(world, this.#system, (name) => this.#machines.get(name));
    this.#system.tap = this.#monitor;
    this.#system.spawn = (args, print, onEnd) => this.#spawn(args, print, onEnd);
    for (const path of ['/tmp', '/usr', '/usr/kds', folder]) this.#system.disk.makeFolder(path);
    this.#system.disk.makeFile(program, 0);
    setSystem(this.#system);
    this.#store = new FencedStore(world, plainFence());
    this.#checker = new Checker(world, this.#monitor, {
      leaseMs: graceMs,
      undoneNotifiedMsMax,
      notifiedMsMax: this.#profile.name === 'calm' ? 4 * quality.delayMsMax : undefined,
    });
    this.#disturbances = new Disturbances(world);
    const habits = withUnits(random, randomHabits(random, graceMs));
    this.#around = {
      ...{ world, leaseMs: graceMs, checker: this.#checker, nests: true },
      access: (section) => this.#store.accessAll(section),
      ...habits,
      ...('units' in habits && { units: { ...habits.units, isReducing: true } }),
    };
    this.#clients = new SimulatedClients(this.#around, (number) =>
      this.#createClient(`client-${number}`),
    );
    world.log(() => `a ${this.#profile.name} world: ${JSON.stringify(this.#profile)}`);
  }

  /** Of the domain that a broker serves, which goes by the timers of its platform. */
  get timers() {
    const system = this.#system;
    return {
      setTimeout: (run: () => void, delayMs: number) => {
        const cancel = system.process.after(delayMs, run);
        return { cancel, unref: () => undefined };
      },
      clearTimeout: (timer: object | undefined) => {
        if (timer !== undefined && 'cancel' in timer) (timer.cancel as () => void)();
      },
      random: () => system.random.real(0, 1),
    };
  }

  async run(): Promise<Outcome> {
    const world = this.#world;
    await this.#clients.runThrough({
      ...{ ms: troubleMs, quietMs: 40_000 },
      disturb: () => this.#disturb(),
      calmDown: () => this.#calmDown(),
      describe: () => this.#monitor.describe(),
    });
    await this.#clearUp();
    const { grants, claimedCount, recoveredCount, upgradedCount } = this.#monitor;
    return {
      profile: this.#profile.name,
      lines: world.lines,
      sectionCount: this.#checker.sectionCount,
      brokerCount: this.#brokerCount,
      claimedCount,
      recoveredCount,
      takenCount: [...grants.values()].filter(({ wasTaken }) => wasTaken).length,
      overlapsExcused: this.#checker.overlapsExcused,
      staleRefusedCount: this.#store.refusedCount,
      unitLookCount: this.#checker.unitLookCount,
      sharedLookCount: this.#checker.sharedLookCount,
      upgradedCount,
    };
  }

  #createClient(name: string): BrokerClient {
    const parts = {
      ...{ system: this.#system, monitor: this.#monitor },
      ...{ idleMs: this.#idleMs, graceMs: this.#graceMs },
    };
    return new SimulatedClient(this.#around, name, 1, (machine) => {
      this.#machines.set(name, machine);
      return new BrokerHost({ ...parts, machine });
    });
  }

  #spawn(args: readonly string[], print: (text: string) => void, onEnd: () => void): void {
    const world = this.#world;
    this.#brokerCount++;
    const machine = new Machine(world, `broker-${this.#brokerCount}`, 1);
    this.#system.adopt(machine);
    const broker: BrokerProcess = { machine, close: undefined, onEnd };
    this.#brokers.add(broker);
    world.log(() => `${machine.name} is started`);
    world.clock.after(world.random.real(5, 60), () =>
      machine.receive(() => {
        this.#serve(broker, args, print).catch((error) => world.fail(error));
      }),
    );
  }

  /** As server/main.ts does it. */
  async #serve(
    broker: BrokerProcess,
    [, socketPath = '', idleMs, grace]: readonly string[],
    print: (text: string) => void,
  ): Promise<void> {
    const clock = this.#system.clockOf(broker.machine);
    const options = { socketPath, idleMs: Number(idleMs), graceMs: Number(grace), clock };
    try {
      const running = await serveDomain(createServedDomain(), options);
      print('ready\n');
      if (running !== undefined) {
        broker.close = () => void running.close();
        await running.ended;
      }
    } catch (error) {
      const isKnown = error instanceof Error && 'code' in error;
      if (!isKnown) throw error;
      print(`${error.message}\n`);
    }
    this.#end(broker, 'ends');
  }

  #end(broker: BrokerProcess, how: string): void {
    if (!this.#brokers.delete(broker)) return;
    this.#world.log(() => `${broker.machine.name} ${how}`);
    this.#monitor.end(broker.machine);
    this.#system.kill(broker.machine);
    broker.onEnd();
  }

  #disturb(): void {
    const profile = this.#profile;
    const { random } = this.#world;
    const { often } = this.#disturbances;
    const someone = (): BrokerClient | undefined => this.#clients.someone();
    const someBroker = (): BrokerProcess | undefined => {
      return this.#brokers.size === 0 ? undefined : random.pick([...this.#brokers]);
    };
    often(profile.killMs, () => this.#kill(someone()));
    often(profile.stopMs, () => this.#clients.stop(someone()));
    often(profile.cutMs, () => someone()?.host.cut());
    often(profile.brokerKillMs, () => {
      const broker = someBroker();
      if (broker !== undefined) this.#end(broker, 'is killed');
    });
    often(profile.brokerStopMs, () => {
      const broker = someBroker();
      this.#stopFor(broker?.machine, 3 * this.#graceMs);
    });
    often(profile.brokerEndMs, () => this.#close(someBroker()));
    often(profile.timeMs, () => this.#system.setTime(random.real(-7_200_000, 7_200_000)));
    often(profile.deleteMs, () => this.#deleteFiles());
    often(profile.fullMs, () => this.#fill());
  }

  #kill(client: BrokerClient | undefined): void {
    if (client === undefined) return;
    client.kill();
    if (this.#profile.name === 'deadly') {
      const { name } = client.machine;
      const boundMs = 4 * this.#profile.quality.delayMsMax;
      this.#clients.expectSuccessors(client, boundMs, () => this.#monitor.liveGrantsOf(name));
    }
    this.#clients.replace();
  }

  #stopFor(machine: Machine | undefined, msMax: number): void {
    if (machine === undefined) return;
    const { clock, random } = this.#world;
    machine.stop();
    clock.after(random.real(1, msMax), () => machine.resume());
  }

  /** A signal to end is sent to it. */
  #close(broker: BrokerProcess | undefined): void {
    const { machine, close } = broker ?? {};
    if (machine === undefined || close === undefined) return;
    machine.receive(() => {
      this.#monitor.end(machine);
      close();
    });
  }

  /**
   * The record goes only while tokens are behind the time of day, which is then all that the next
   * broker knows: after a client has come again they are ahead of it for 18 minutes.
   */
  #deleteFiles(): void {
    const { disk } = this.#system;
    if (disk.find(folder, false) === undefined) return;
    const { random } = this.#world;
    const isHarmless = !disk.isFull && this.#monitor.tokenLast < this.#system.epochMs() * 1000;
    const names = [...disk.folder(folder).entries.keys()].filter(
      (name) => isHarmless || !name.endsWith('.record'),
    );
    const how = random.below(isHarmless ? 3 : 2);
    const gone = how > 0 || names.length === 0 ? names : [random.pick(names)];
    for (const name of gone) disk.remove(`${folder}/${name}`);
    if (how === 2) disk.remove(folder);
    this.#world.log(() => `deleted: ${gone.join(' ')}${how === 2 ? ', and the folder' : ''}`);
  }

  #fill(): void {
    const { disk } = this.#system;
    if (disk.find(`${socketPath}.record`, false) === undefined) return;
    disk.fill(true);
    this.#world.log(() => 'the disk is full');
    this.#world.clock.after(this.#world.random.real(100, 3000), () => {
      disk.fill(false);
    });
  }

  #calmDown(): void {
    if (!this.#disturbances.end()) return;
    for (const { machine } of this.#clients.all) machine.resume();
    for (const { machine } of this.#brokers) machine.resume();
    this.#system.disk.fill(false);
  }

  /** One more client takes each resource once; then the last broker ends, as it has no client. */
  async #clearUp(): Promise<void> {
    const world = this.#world;
    const janitor = this.#createClient('janitor');
    janitor.clearUp(() => true);
    await world.run(world.nowMs + 60_000, () => janitor.isOver);
    if (!janitor.isOver)
      throw world.violation(`the last client waits: ${this.#monitor.describe()}`);
    await world.run(world.nowMs + 20_000, () => this.#brokers.size === 0);
    const left = [...this.#brokers].map(({ machine }) => machine.name);
    if (left.length > 0) throw world.violation(`still there: ${left.join(' ')}`);
    this.#monitor.settle();
  }
}
