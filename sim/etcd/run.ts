/**
 * One simulated run of the etcd backend: some clients, a cluster, the network between, and the
 * faults of all of them, from one seed; then quiet, until all requests have ended and nothing is
 * left.
 */

import { Keys } from '../../src/backends/etcd/keys.ts';
import { Checker } from '../checker.ts';
import { type ClientSurroundings, SimulatedClient } from '../client.ts';
import { randomHabits, rateMin, SimulatedClients, withUnits } from '../clients.ts';
import { Disturbances } from '../disturbances.ts';
import { FencedStore, plainFence } from '../fenced-store.ts';
import { inVirtualTime, World, WorldFailure } from '../world.ts';
import { type ClusterMember, leaseCheckMs, SimulatedCluster } from './cluster.ts';
import { type FaultProfile, type ProfileName, profileOf } from './fault-profile.ts';
import { type EtcdClient, EtcdHost } from './host.ts';
import { dataPrefix, EtcdMonitor } from './monitor.ts';
import { flawless, type NetworkQuality } from './network.ts';

const troubleMs = 8000;
/** Time after which a silent watch is opened anew, ms: see log.ts. */
const lateMsMax = 3000;
/** Time, ms, within which every client has had its turn to reap: see session-reaper.ts. */
const turnsMs = 2000;
const janitorNumber = 99;
const domainName = 'sim';

export interface Outcome {
  readonly profile: ProfileName;
  readonly lines: readonly string[];
  readonly virtualMs: number;
  readonly sectionCount: number;
  readonly grantCount: number;
  readonly takenCount: number;
  readonly reapedCount: number;
  readonly guardedWriteCount: number;
  readonly overlapsExcused: number;
  readonly staleRefusedCount: number;
  readonly unitLookCount: number;
  readonly sharedLookCount: number;
  readonly displacedCount: number;
}

export interface RunOptions {
  /** Keep a log. Default false. */
  readonly log?: boolean;
  /** In place of the one that the seed would have. */
  readonly profile?: ProfileName | undefined;
}

/** Runs the world of a seed. Throws a {@link WorldFailure} if anything is wrong in it. */
export async function runEtcdWorld(seed: number, options: RunOptions = {}): Promise<Outcome> {
  const world = new World(seed, options);
  try {
    return await inVirtualTime(world.clock, () => new EtcdWorld(world, options).run());
  } catch (error) {
    throw new WorldFailure(error, world);
  }
}

class EtcdWorld {
  readonly #world: World;
  readonly #profile: FaultProfile;
  readonly #keys = new Keys(domainName);
  readonly #cluster: SimulatedCluster;
  readonly #monitor: EtcdMonitor;
  readonly #checker: Checker;
  readonly #store: FencedStore;
  readonly #leaseSeconds: number;
  readonly #around: ClientSurroundings;
  readonly #clients: SimulatedClients<EtcdHost>;
  readonly #disturbances: Disturbances;

  constructor(world: World, { profile }: RunOptions) {
    const { random } = world;
    this.#world = world;
    this.#profile = profileOf(random, profile);
    this.#leaseSeconds = random.pick([2, 3]);
    const leaseMs = this.#leaseSeconds * 1000;
    this.#cluster = new SimulatedCluster(world, this.#profile);
    this.#monitor = new EtcdMonitor(world, this.#cluster.store, this.#keys);
    this.#cluster.onStep = (step) => this.#monitor.after(step);
    this.#store = new FencedStore(world, plainFence());
    const habits = withUnits(random, randomHabits(random, leaseMs));
    this.#checker = new Checker(world, this.#monitor, {
      leaseMs,
      undoneNotifiedMsMax: 0,
      notifiedMsMax: this.#notifiedMsMax(leaseMs, 'units' in habits),
    });
    this.#disturbances = new Disturbances(world);
    this.#around = {
      ...{ world, leaseMs, checker: this.#checker, nests: random.chance(0.5) },
      access: async (section) => {
        const client = this.#clients.all.find(({ machine }) => machine === section.machine);
        const isGuarded = random.chance(0.3);
        await this.#store.accessAll(section);
        if (isGuarded) await client?.host.write(section);
      },
      ...habits,
    };
    this.#clients = new SimulatedClients(this.#around, (number, rate) =>
      this.#createClient(number, rate, this.#profile.quality),
    );
    world.log(() => `a ${this.#profile.name} world: ${JSON.stringify(this.#profile)}`);
  }

  async run(): Promise<Outcome> {
    const world = this.#world;
    await this.#clients.runThrough({
      ...{ ms: troubleMs, quietMs: 60_000 },
      disturb: () => this.#disturb(),
      calmDown: () => this.#calmDown(),
      describe: () => this.#monitor.describe(),
    });
    await this.#clearUp();
    const { grantCount, takenCount, reapedCount, guardedWriteCount } = this.#monitor;
    if (this.#profile.name === 'calm' && reapedCount > 0)
      throw this.#world.violation(
        `${reapedCount} sets are reaped of clients that have closed their domain`,
      );
    return {
      profile: this.#profile.name,
      lines: world.lines,
      virtualMs: world.nowMs,
      sectionCount: this.#checker.sectionCount,
      ...{ grantCount, takenCount, reapedCount, guardedWriteCount },
      overlapsExcused: this.#checker.overlapsExcused,
      staleRefusedCount: this.#store.refusedCount,
      unitLookCount: this.#checker.unitLookCount,
      sharedLookCount: this.#checker.sharedLookCount,
      displacedCount: this.#monitor.displacedCount,
    };
  }

  #createClient(number: number, rate: number, quality: NetworkQuality): EtcdClient {
    const parts = {
      ...{ world: this.#world, cluster: this.#cluster, monitor: this.#monitor, quality },
      ...{ keys: this.#keys, leaseSeconds: this.#leaseSeconds, number },
    };
    return new SimulatedClient(
      this.#around,
      `client-${number}`,
      rate,
      (machine) => new EtcdHost({ ...parts, machine }),
    );
  }

  /** Where nothing is lost but messages of watches, a heartbeat and a late watch bound it. */
  #notifiedMsMax(leaseMs: number, hasUnits: boolean): number | undefined {
    const { name, quality, lagMsMax } = this.#profile;
    const deliveryMs = lagMsMax + 2 * quality.delayMsMax;
    // A set with units is reported when it has recorded them: after some attempts, at times.
    if (name === 'calm' || name === 'deadly') return hasUnits ? 20 * deliveryMs : deliveryMs;
    if (name !== 'lossy' && name !== 'drowsy') return undefined;
    const noticedMs = leaseMs / 4 + 2 * lateMsMax + 500;
    return noticedMs / rateMin + 10 * deliveryMs;
  }

  #disturb(): void {
    const profile = this.#profile;
    const { random } = this.#world;
    const { often } = this.#disturbances;
    const someone = (): EtcdClient | undefined => this.#clients.someone();
    often(profile.cutMs, () => {
      someone()?.host.network.cut(random.chance(0.7) ? 'streams' : 'all');
    });
    often(profile.muteMs, () => someone()?.host.network.silence());
    often(profile.partMs, () => {
      const untilMs = this.#world.nowMs + random.real(1, 2 * this.#around.leaseMs);
      const members = this.#cluster.members.filter(() => random.chance(0.6));
      someone()?.host.network.part(members, untilMs);
    });
    often(profile.stopMs, () => this.#clients.stop(someone()));
    often(profile.killMs, () => this.#kill(someone()));
    often(profile.timeMs, () => someone()?.machine.setTime(random.real(-1e8, 1e8)));
    often(profile.memberMs, () => this.#disturbMember(random.pick(this.#cluster.members)));
    often(profile.compactMs, () => this.#compact(random.pick(this.#cluster.members)));
    often(profile.fullMs, () => this.#fill());
  }

  #kill(client: EtcdClient | undefined): void {
    if (client === undefined) return;
    client.kill();
    this.#expectSuccessors(client);
    this.#clients.replace();
  }

  /**
   * A dead client's sets are reaped after its lease, the check of the leases, and the turns of the
   * others, if any other client is there: docs/etcd.md, "Guarantees".
   */
  #expectSuccessors(client: EtcdClient): void {
    if (this.#profile.name !== 'deadly') return;
    const { leaseMs } = this.#around;
    const { quality, lagMsMax } = this.#profile;
    const boundMs =
      leaseMs + leaseCheckMs + turnsMs / rateMin + 12 * quality.delayMsMax + 6 * lagMsMax;
    this.#clients.expectSuccessors(client, boundMs, () =>
      this.#monitor.liveGrantsOf(client.host.sessionPrefix),
    );
  }

  #disturbMember(member: ClusterMember): void {
    const { random, clock } = this.#world;
    const forMs = random.real(50, 1.5 * this.#around.leaseMs);
    const kind = random.pick(['freeze', 'isolate', 'restart', 'replace', 'depose'] as const);
    if (kind === 'depose') this.#cluster.deposeLeader();
    else if (kind === 'freeze') {
      member.freeze();
      clock.after(forMs, () => member.resume());
    } else if (kind === 'isolate') {
      member.isolate();
      clock.after(forMs, () => member.join());
    } else if (member.isUp) {
      member.goDown();
      for (const { host } of this.#clients.all) host.network.cut('all', member);
      clock.after(kind === 'restart' ? forMs : 3 * forMs, () => member.comeUp());
    }
  }

  #compact(member: ClusterMember): void {
    const { random, clock } = this.#world;
    const { store } = this.#cluster;
    const forMs = random.real(5, 400);
    member.delayWatch(forMs);
    clock.after(forMs * random.real(0.5, 1), () => {
      const next = member.revisionBehind;
      if (next !== undefined && next <= store.revision && random.chance(0.7)) store.compact(next);
      else store.compact(store.revision);
    });
  }

  #fill(): void {
    const { store } = this.#cluster;
    store.isOutOfSpace = true;
    this.#world.log(() => 'etcd is out of space');
    this.#world.clock.after(this.#world.random.real(100, 2 * this.#around.leaseMs), () => {
      store.isOutOfSpace = false;
      this.#world.log(() => 'etcd has space');
    });
  }

  #calmDown(): void {
    if (!this.#disturbances.end()) return;
    for (const { machine, host } of this.#clients.all) {
      host.network.calmDown();
      machine.resume();
    }
    this.#cluster.store.isOutOfSpace = false;
    for (const member of this.#cluster.members) {
      if (!member.isUp) member.comeUp();
      member.resume();
      member.join();
    }
  }

  /** One more client makes sure that what the dead have left is reaped; nothing stays. */
  async #clearUp(): Promise<void> {
    const { leaseMs } = this.#around;
    const { quality } = this.#profile;
    const world = this.#world;
    const keysFrom = (prefix: string): readonly string[] =>
      [...this.#cluster.store.keys.keys()].filter((key) => key.startsWith(prefix));
    // What is still on its way arrives first.
    await world.run(world.nowMs + 2 * quality.lateMsMax + 4 * leaseMs);
    const janitor = this.#createClient(janitorNumber, 1, { ...quality, ...flawless });
    janitor.clearUp(() => keysFrom(this.#keys.sessions).length <= 1);
    await world.run(world.nowMs + 20 * leaseMs + 20_000, () => janitor.isOver);
    const left = keysFrom('').filter((key) => {
      const { chain, steal, version, capacities, numbers } = this.#keys;
      const kept = [dataPrefix, capacities, numbers];
      return ![chain, steal, version].includes(key) && !kept.some((each) => key.startsWith(each));
    });
    if (!janitor.isOver || left.length > 0)
      throw this.#world.violation(`left behind: ${left.join(' ')}`);
  }
}
