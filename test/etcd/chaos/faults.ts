/** Faults of the clients, the networks and the members in a chaos run, one after the other. */

import type { ChildProcess } from 'node:child_process';
import type { BadNetwork } from '../bad-network.ts';
import type { EtcdCluster } from '../server.ts';

export interface ChaosClient {
  readonly name: string;
  readonly process: ChildProcess;
}

/** What a fault may do something to. */
export interface Scene {
  readonly leaseMs: number;
  readonly cluster: EtcdCluster;
  /** One before each member. */
  readonly networks: readonly BadNetwork[];
  readonly random: () => number;
  /** For so long the leader is stopped. */
  readonly leaderStoppedMs: number;
  anyClient(): ChaosClient;
  /** By SIGKILL; another one takes its place. */
  replace(client: ChaosClient): Promise<void>;
  /** Later in the run; at its end at the latest. */
  after(ms: number, fn: () => void): void;
}

type Fault = (scene: Scene) => void | Promise<void>;

export const faults = {
  'client killed': ({ anyClient, replace }) => replace(anyClient()),

  /** For longer than its lease, or not: it goes on in the middle of what it was about. */
  'client stopped': ({ anyClient, after, leaseMs, random }) => {
    const { process } = anyClient();
    process.kill('SIGSTOP');
    after(leaseMs * (0.3 + 2.2 * random()), () => process.kill('SIGCONT'));
  },

  'clock shifted': ({ anyClient, leaseMs, random }) => {
    const { process } = anyClient();
    if (process.connected) process.send(leaseMs * (2 * random() - 1));
  },

  'connections cut': ({ networks, random }) => anyOf(networks, random).cutOnce(),

  'member cut off': ({ networks, random, after, leaseMs }) => {
    const network = anyOf(networks, random);
    network.cut(true);
    after(leaseMs * 2 * random(), () => network.cut(false));
  },

  'network frozen': ({ networks, random, after, leaseMs }) => {
    const network = anyOf(networks, random);
    network.freeze();
    after(leaseMs * 2 * random(), () => network.resume());
  },

  /** For a lease and longer: clients behind these networks receive nothing. */
  'networks frozen': ({ networks, random, after, leaseMs }) => {
    if (networks.some((network) => network.isFrozen)) return;
    for (const network of networks) network.freeze();
    after(leaseMs * (1.2 + random()), () => {
      for (const network of networks) network.resume();
    });
  },

  'watch lossy': ({ networks, random, after }) => {
    const network = anyOf(networks, random);
    network.losesLine = () => random() < 0.02;
    after(300, () => {
      network.losesLine = () => false;
    });
  },

  'answers lost': ({ networks, random, after }) => {
    const network = anyOf(networks, random);
    network.losesAnswer = () => random() < 0.1;
    after(500, () => {
      network.losesAnswer = () => false;
    });
  },

  /** While some are cut off, so that they find nothing of the past. */
  'log compacted': async ({ cluster, networks, random }) => {
    const network = anyOf(networks, random);
    network.cut(true);
    const leader = await cluster.leader();
    const status = await leader.call('/v3/maintenance/status', {});
    const { revision } = (status?.['header'] ?? {}) as { readonly revision?: string };
    await leader.call('/v3/kv/compaction', { revision, physical: true });
    network.cut(false);
  },

  'leader killed': async ({ cluster, after, random, leaseMs }) => {
    const leader = await cluster.leader();
    await leader.kill();
    after(leaseMs * random(), () => leader.launch());
  },

  /** The leader, or another one: its clients reach it, and it reaches nobody. */
  'member parted': async ({ cluster, after, random, leaseMs }) => {
    await cluster.part(anyOf(cluster.members, random));
    after(leaseMs * (0.5 + random()), () => cluster.heal());
  },

  'leader stopped': async ({ cluster, after, leaderStoppedMs }) => {
    const leader = await cluster.leader();
    leader.signal('SIGSTOP');
    after(leaderStoppedMs, () => leader.signal('SIGCONT'));
  },
} as const satisfies Readonly<Record<string, Fault>>;

export type FaultName = keyof typeof faults;

/** Faults of the full chaos run: all but the one that would stop everybody. */
export const faultNames = (Object.keys(faults) as readonly FaultName[]).filter(
  (name) => name !== 'networks frozen',
);

/** Two of them at a time would leave no majority: so they wait for each other. */
export const needsAll: ReadonlySet<FaultName> = new Set<FaultName>([
  'leader killed',
  'leader stopped',
  'member parted',
]);

/** One of them, if there is any; what concerns all comes less often. */
export function anyFault(names: readonly FaultName[], random: () => number): FaultName | undefined {
  const isRare = random() < 0.08;
  const chosen = names.filter((name) => needsAll.has(name) === isRare);
  return anyOf(chosen.length > 0 ? chosen : names, random);
}

function anyOf<T>(items: readonly T[], random: () => number): T {
  return items[Math.floor(random() * items.length)] as T;
}
