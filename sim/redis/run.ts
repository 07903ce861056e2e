/**
 * One simulated run of the Redis host: some clients, a server, the network between, and what goes
 * wrong with them, all of it from one seed; then quiet, until all requests have ended and nothing
 * is left.
 */

import { rootOf } from '../../src/backends/redis/names.ts';
import { scriptTexts } from '../../src/backends/redis/scripts.ts';
import { Checker } from '../checker.ts';
import { type ClientSurroundings, SimulatedClient } from '../client.ts';
import { randomHabits, rateMin, SimulatedClients } from '../clients.ts';
import { Disturbances } from '../disturbances.ts';
import { FencedStore } from '../fenced-store.ts';
import { inVirtualTime, World, WorldFailure } from '../world.ts';
import type { NetworkQuality } from './connection.ts';
import { type FaultProfile, type ProfileName, profileOf } from './fault-profile.ts';
import { luaFence } from './fence.ts';
import { type RedisClient, RedisHost } from './host.ts';
import { LuaMachine } from './lua.ts';
import { ServerMonitor } from './monitor.ts';
import { SimulatedServer } from './server.ts';

const troubleMs = 4000;

interface Outcome {
  readonly profile: ProfileName;
  readonly lines: readonly string[];
  readonly virtualMs: number;
  readonly sectionCount: number;
  readonly grantCount: number;
  readonly takenCount: number;
  readonly overlapsExcused: number;
  readonly staleRefusedCount: number;
}

const domainName = 'sim';
const root = rootOf(domainName);

/** Runs the world of a seed. Throws a {@link WorldFailure} if anything is wrong in it. */
export type RunSeed = (seed: number, options?: RunOptions) => Promise<Outcome>;

interface RunOptions {
  /** Keep a log. Default false. */
  readonly log?: boolean;
  /** Instead of the one that the seed would have. */
  readonly profile?: ProfileName | undefined;
}

/** Takes some 20 ms, for the interpreter of Lua that all worlds share. */
export async function prepareRedisWorlds(): Promise<RunSeed> {
  const lua = await LuaMachine.create();
  return async (seed, options = {}) => {
    const world = new World(seed, options);
    try {
      return await inVirtualTime(world.clock, () => new RedisWorld(world, lua, options).run());
    } catch (error) {
      throw new WorldFailure(error, world);
    }
  };
}

class RedisWorld {
  readonly #world: World;
  readonly #profile: FaultProfile;
  readonly #server: SimulatedServer;
  readonly #monitor: ServerMonitor;
  readonly #checker: Checker;
  readonly #store: FencedStore;
  readonly #around: ClientSurroundings;
  readonly #clients: SimulatedClients<RedisHost>;
  readonly #disturbances: Disturbances;

  constructor(world: World, lua: LuaMachine, { profile }: RunOptions) {
    const { random } = world;
    this.#world = world;
    this.#profile = profileOf(random, profile);
    const leaseMs = random.pick([600, 1200, 3000]);
    const names = Object.entries(scriptTexts).map(([name, text]) => [text, name] as const);
    this.#server = new SimulatedServer(world, lua, new Map(names));
    this.#monitor = new ServerMonitor(world, this.#server.keyspace, root);
    this.#server.monitor = this.#monitor;
    this.#store = new FencedStore(world, luaFence(lua));
    this.#checker = new Checker(world, this.#monitor, {
      leaseMs,
      undoneNotifiedMsMax: this.#undoneNotifiedMsMax(leaseMs),
      notifiedMsMax: this.#notifiedMsMax(leaseMs),
    });
    this.#disturbances = new Disturbances(world);
    this.#around = {
      ...{ world, leaseMs, checker: this.#checker, nests: false },
      access: (section) => this.#store.accessAll(section),
      ...randomHabits(random, leaseMs),
    };
    this.#clients = new SimulatedClients(this.#around, (number, rate) =>
      this.#createClient(`client-${number}`, rate, this.#profile.quality),
    );
    world.log(() => `a ${this.#profile.name} world: ${JSON.stringify(this.#profile)}`);
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
    return {
      profile: this.#profile.name,
      lines: world.lines,
      virtualMs: world.nowMs,
      sectionCount: this.#checker.sectionCount,
      grantCount: this.#monitor.grants.size,
      takenCount: [...this.#monitor.grants.values()].filter(({ wasTaken }) => wasTaken).length,
      overlapsExcused: this.#checker.overlapsExcused,
      staleRefusedCount: this.#store.refusedCount,
    };
  }

  #createClient(name: string, rate: number, quality: NetworkQuality): RedisClient {
    const { leaseMs } = this.#around;
    const parts = { world: this.#world, server: this.#server, grants: this.#monitor.grants };
    return new SimulatedClient(
      this.#around,
      name,
      rate,
      (machine) => new RedisHost({ ...parts, machine, quality, domainName, leaseMs }),
    );
  }

  /** Where only messages are lost, a heartbeat and a check bound how late a notification is. */
  #notifiedMsMax(leaseMs: number): number | undefined {
    const { name, quality } = this.#profile;
    if (name !== 'calm' && name !== 'deaf' && name !== 'deadly') return undefined;
    if (name === 'calm') return 4 * quality.delayMsMax;
    return leaseMs / 3 / rateMin + 8 * quality.delayMsMax;
  }

  /**
   * After a server took over: until a client is connected again, has noticed that its calls are
   * lost, and has requested what is left.
   */
  #undoneNotifiedMsMax(leaseMs: number): number {
    const { name, quality } = this.#profile;
    const requestMs = 2 * quality.reconnectMsMax + leaseMs / 10 + 16 * quality.delayMsMax;
    // Where the next server stands still too, calls have to run out of time first.
    return (
      (name === 'failing' ? requestMs : leaseMs + 2 * Math.max(leaseMs / 3, 1000) + requestMs) /
      rateMin
    );
  }

  #disturb(): void {
    const profile = this.#profile;
    const { random } = this.#world;
    const { often } = this.#disturbances;
    const someone = (): RedisClient | undefined => this.#clients.someone();
    often(profile.cutMs, () => someone()?.host.connection.cut('commands'));
    often(profile.muteMs, () => someone()?.host.connection.cut('messages'));
    often(profile.partMs, () => {
      const untilMs = this.#world.nowMs + random.real(1, 2 * this.#around.leaseMs);
      someone()?.host.connection.part(untilMs, random.chance(0.5));
    });
    often(profile.stopMs, () => this.#clients.stop(someone()));
    often(profile.killMs, () => this.#kill(someone()));
    often(profile.serverStopMs, () => this.#stopServer());
    often(profile.serverEndMs, () => this.#endServer());
    often(profile.forgetScriptsMs, () => this.#server.forgetScripts());
  }

  #kill(client: RedisClient | undefined): void {
    if (client === undefined) return;
    client.kill();
    this.#expectSuccessors(client);
    this.#clients.replace();
  }

  /** What a dead client held is given on within a lease and two heartbeats, if anybody is there. */
  #expectSuccessors(client: RedisClient): void {
    if (this.#profile.name !== 'deadly') return;
    const { leaseMs } = this.#around;
    const { quality } = this.#profile;
    // The last heartbeat of the client may have been under way.
    const { lateMs } = client.host.connection;
    const boundMs = lateMs + leaseMs + (2 * leaseMs) / 3 + 4 * quality.delayMsMax;
    this.#clients.expectSuccessors(client, boundMs, () =>
      this.#monitor.liveGrantsOf(client.machine.name),
    );
  }

  #stopServer(): void {
    if (!this.#server.isUp || this.#server.isStopped) return;
    this.#server.stop();
    const forMs = this.#world.random.real(1, 1.5 * this.#around.leaseMs);
    this.#world.clock.after(forMs, () => {
      if (this.#server.isStopped) this.#server.resume();
    });
  }

  /** It takes longer to come back than clocks differ: docs/redis.md requires that. */
  #endServer(): void {
    if (!this.#server.isUp) return;
    const { random } = this.#world;
    this.#server.goDown();
    for (const { host } of this.#clients.all) {
      host.connection.cut('commands');
      host.connection.cut('messages');
    }
    const { stepsLostMax, clockSkewMsMax } = this.#profile;
    const forMs = 2 * clockSkewMsMax + random.real(1, this.#around.leaseMs);
    this.#world.clock.after(forMs, () => {
      const aheadUs = Math.floor(random.real(-clockSkewMsMax, clockSkewMsMax) * 1000);
      const isEmpty = stepsLostMax > 0 && random.chance(0.1);
      this.#server.comeUp(isEmpty ? 'all' : random.below(stepsLostMax + 1), aheadUs);
    });
  }

  #calmDown(): void {
    if (!this.#disturbances.end()) return;
    for (const { machine } of this.#clients.all) machine.resume();
    if (this.#server.isStopped) this.#server.resume();
  }

  /** One more client sees to it that what the dead have left is cleared away; nothing lasts. */
  async #clearUp(): Promise<void> {
    const { leaseMs } = this.#around;
    const { quality } = this.#profile;
    const { keyspace } = this.#server;
    const world = this.#world;
    // What is still on its way arrives first.
    await world.run(world.nowMs + 4 * quality.reconnectMsMax + 4 * leaseMs);
    const janitor = this.#createClient('janitor', 1, { ...quality, messageLoss: 0 });
    janitor.clearUp(() => keyspace.keysFrom(`${root}s:`).length <= 1);
    await world.run(world.nowMs + 20 * leaseMs, () => janitor.isOver);
    // Where some keys of a set have expired, the others may be left to do so too.
    const mayExpire = (key: string): boolean =>
      this.#monitor.hasExpired && keyspace.endsAtMs(key) !== undefined;
    const left = keyspace.keys.filter((key) => key !== `${root}seq` && !mayExpire(key));
    if (!janitor.isOver || left.length > 0)
      throw this.#world.violation(`left behind: ${left.join(' ')}`);
  }
}
