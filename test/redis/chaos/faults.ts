/** Faults of the clients, the network and the server in a chaos run, one after the other. */

import type { ChildProcess } from 'node:child_process';
import type { BadNetwork, CutMoment } from '../bad-network.ts';
import type { RedisProcess } from './redis-process.ts';

export interface ChaosClient {
  readonly name: string;
  readonly process: ChildProcess;
}

/** What a fault may do something to. */
export interface Scene {
  readonly leaseMs: number;
  readonly network: BadNetwork;
  readonly server: RedisProcess;
  readonly random: () => number;
  anyClient(): ChaosClient;
  /** By SIGKILL; another one takes its place. */
  replace(client: ChaosClient): Promise<void>;
  /** A command to the server itself, past the network. */
  send(...command: readonly string[]): Promise<void>;
  /** Later in the run; at its end at the latest. */
  after(ms: number, fn: () => void): void;
}

export type Fault = (scene: Scene) => void | Promise<void>;

const moments: readonly CutMoment[] = ['now', 'in-command', 'before-reply'];

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

  'connections cut': ({ network, random }) => {
    const moment = moments[Math.floor(random() * moments.length)] as CutMoment;
    const share = random();
    network.cut(moment, () => random() < share);
  },

  'network slow': ({ network, after, random, leaseMs }) => {
    const msMax = random() * 60;
    network.delaysMs = () => random() * msMax;
    after(leaseMs * random(), () => {
      network.delaysMs = () => 0;
    });
  },

  'network down': ({ network, after, random, leaseMs }) => {
    network.pause();
    after(leaseMs * 1.4 * random(), () => network.resume());
  },

  'server killed': async ({ server }) => {
    await server.kill();
    await server.start();
  },

  'server stopped': ({ server, after, leaseMs, random }) => {
    server.signal('SIGSTOP');
    after(leaseMs * 1.3 * random(), () => server.signal('SIGCONT'));
  },

  'server asleep': ({ send, leaseMs, random }) =>
    send('DEBUG', 'SLEEP', ((leaseMs * 1.3 * random()) / 1000).toFixed(3)),

  'all forgotten': ({ send }) => send('FLUSHALL'),

  'scripts forgotten': ({ send }) => send('SCRIPT', 'FLUSH'),
} as const satisfies Readonly<Record<string, Fault>>;

export type FaultName = keyof typeof faults;

export const faultNames = Object.keys(faults) as readonly FaultName[];

/**
 * They stop everybody for about as long as a lease: with too many of them nothing is done at all.
 */
const isForAll: ReadonlySet<FaultName> = new Set<FaultName>([
  ...(['network down', 'server killed', 'server stopped', 'server asleep'] as const),
  'all forgotten',
]);

/** One of them; what concerns all comes less often. */
export function anyFault(names: readonly FaultName[], random: () => number): FaultName | undefined {
  const isRare = random() < 0.15;
  const chosen = names.filter((name) => isForAll.has(name) === isRare);
  const among = chosen.length > 0 ? chosen : names;
  return among[Math.floor(random() * among.length)];
}
