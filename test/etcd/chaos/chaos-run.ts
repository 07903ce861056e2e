/**
 * Processes that ask for random sets in one domain, while what can go wrong does. Then it is calm,
 * all that has been begun must end, nothing may be left, and what the clients wrote down is
 * compared with what the monitor saw in the log.
 */

import { once } from 'node:events';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEtcdDomain } from 'kds/etcd';
import { prefixRange, rangeIn } from '../../../src/backends/etcd/calls.ts';
import { heard, startClient } from '../../broker/programs.ts';
import { checkJournal, type Line } from '../../stress/journal.ts';
import { randomFrom } from '../../stress/random.ts';
import { BadNetwork } from '../bad-network.ts';
import { EtcdCluster } from '../server.ts';
import type { ClientOrders } from './client.ts';
import {
  anyFault,
  type ChaosClient,
  type FaultName,
  faults,
  needsAll,
  type Scene,
} from './faults.ts';
import { Monitor } from './monitor.ts';
import type { ReportedGrant } from './reported.ts';

export interface ChaosPlan {
  /** client.ts, bundled. */
  readonly program: string;
  readonly seconds: number;
  /** It goes on until there have been as many. */
  readonly sectionCountMin?: number;
  readonly seed: number;
  readonly faultNames: readonly FaultName[];
  readonly clientCount?: number;
  readonly memberCount?: number;
  /** Only every other client comes by the bad networks, the rest by none. */
  readonly isHalfDirect?: boolean;
  /** No overlap is excused: nothing befalls a client that keeps it from knowing in time. */
  readonly isStrict?: boolean;
  /** For up to so long clients hold some of their sets. */
  readonly holdMsMax?: number;
  readonly leaderStoppedMs?: number;
  /** Between two faults, at most. */
  readonly pauseMsMax?: number;
  /** Of the transactions, those that are delivered once more. */
  readonly repeatedShare?: number;
  /** In which all must have ended that was begun, once it is calm. */
  readonly calmMsMax?: number;
}

export interface ChaosFindings {
  /** What must never be. */
  readonly faults: readonly string[];
  readonly sectionCount: number;
  /** Numbers of events, printed by the test. */
  readonly stats: Readonly<Record<string, number>>;
}

const defaults = {
  sectionCountMin: 0,
  clientCount: 6,
  memberCount: 3,
  isHalfDirect: false,
  isStrict: false,
  holdMsMax: 1500,
  leaderStoppedMs: 2500,
  pauseMsMax: 500,
  repeatedShare: 0.05,
  calmMsMax: 60_000,
};
const name = 'chaos';
/** The least that etcd gives. */
const leaseSeconds = 2;
const leaseMs = leaseSeconds * 1000;

export async function runChaos(plan: ChaosPlan): Promise<ChaosFindings> {
  const chaos = await ChaosRun.prepare(plan);
  try {
    await chaos.run();
    await chaos.comeToRest();
    return chaos.judge();
  } finally {
    await chaos.remove();
  }
}

class ChaosRun {
  readonly #plan: Required<ChaosPlan>;
  readonly #folder = mkdtempSync(join(tmpdir(), 'kds-chaos-'));
  readonly #journalPath = join(this.#folder, 'journal');
  readonly #grantsPath = join(this.#folder, 'grants');
  readonly #digestsPath = join(this.#folder, 'digests');
  readonly #random: () => number;
  readonly #cluster: EtcdCluster;
  readonly #networks: readonly BadNetwork[];
  readonly #monitor: Monitor;
  readonly #clients: ChaosClient[] = [];
  readonly #later = new Map<NodeJS.Timeout, () => void>();
  readonly #faults: string[] = [];
  readonly #counts = new Map<FaultName, number>();
  /** When clients were killed, by their names. */
  readonly #killedMs = new Map<string, number>();
  #startedCount = 0;
  #isLeaderAway = false;

  private constructor(
    plan: ChaosPlan,
    cluster: EtcdCluster,
    networks: readonly BadNetwork[],
    monitor: Monitor,
  ) {
    this.#plan = { ...defaults, ...plan };
    this.#random = randomFrom(plan.seed);
    this.#cluster = cluster;
    this.#networks = networks;
    this.#monitor = monitor;
    for (const path of [this.#journalPath, this.#grantsPath, this.#digestsPath]) {
      writeFileSync(path, '');
    }
  }

  static async prepare(plan: ChaosPlan): Promise<ChaosRun> {
    const { memberCount } = { ...defaults, ...plan };
    const cluster = await EtcdCluster.start({ memberCount, canPart: memberCount > 1 });
    const networks = await Promise.all(cluster.hosts.map((host) => BadNetwork.before(host)));
    return new ChaosRun(plan, cluster, networks, await Monitor.of(cluster.hosts, name));
  }

  async run(): Promise<void> {
    const { seconds, sectionCountMin, clientCount, repeatedShare, faultNames, pauseMsMax } =
      this.#plan;
    const random = this.#random;
    for (const network of this.#networks) {
      network.repeats = (path) => {
        if (path !== '/v3/kv/txn' || random() >= repeatedShare) return undefined;
        return random() < 0.5 ? random() * 5 : random() * leaseMs;
      };
    }
    await Promise.all(Array.from({ length: clientCount }, () => this.#start()));
    const endMs = performance.now() + seconds * 1000;
    // Each fault once, in any order, then any of them: a short run has them all, too.
    const first = shuffled(faultNames, random);
    const isDone = (): boolean =>
      performance.now() > endMs && first.length === 0 && this.#sectionCount() >= sectionCountMin;
    while (!isDone() && this.#faults.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 50 + random() * pauseMsMax));
      const next = first.pop() ?? anyFault(faultNames, random);
      if (next === undefined) continue;
      if (needsAll.has(next) && this.#isLeaderAway) {
        if (!this.#counts.has(next)) first.unshift(next);
        continue;
      }
      if (needsAll.has(next)) this.#isLeaderAway = true;
      this.#counts.set(next, (this.#counts.get(next) ?? 0) + 1);
      await faults[next](this.#scene(next));
      this.#noteDeaths();
    }
  }

  /** Nothing goes wrong any more: all that was begun ends, and nothing is left. */
  async comeToRest(): Promise<void> {
    for (const [timer, fn] of this.#later) {
      clearTimeout(timer);
      fn();
    }
    this.#later.clear();
    for (const network of this.#networks) network.repeats = () => undefined;
    this.#noteDeaths();
    const running = this.#clients.filter((client) => !isOver(client));
    const ends = running.map(({ process }) => once(process, 'exit'));
    for (const { process } of running) process.send('stop');
    await withinMs(this.#plan.calmMsMax, Promise.all(ends));
    for (const client of running.filter((each) => !isOver(each))) {
      this.#faults.push(`client ${client.name} did not come to an end`);
      client.process.kill('SIGKILL');
    }
    this.#noteDeaths();
    await this.#checkNothingIsLeft();
  }

  judge(): ChaosFindings {
    const lines = linesOf<Line>(this.#journalPath);
    const reported = linesOf<ReportedGrant>(this.#grantsPath);
    const keyOf = new Map(reported.map(({ token, key }) => [token, key]));
    const monitor = this.#monitor;
    const journal = checkJournal(lines, (token, later) => {
      return !this.#plan.isStrict && monitor.wasLostBefore(keyOf.get(token) ?? '', later);
    });
    const copies = checkCopies(readFileSync(this.#digestsPath, 'utf8'), monitor.digests);
    const found = [
      ...this.#faults,
      ...monitor.faults.map((fault) => `log: ${fault}`),
      ...reported.flatMap((each) => monitor.judge(each) ?? []).map((fault) => `reported: ${fault}`),
      ...copies.faults.map((fault) => `copies: ${fault}`),
      ...journal.faults.map((fault) => `journal: ${fault}`),
    ];
    const sum = (count: (network: BadNetwork) => number): number =>
      this.#networks.reduce((total, network) => total + count(network), 0);
    const stats = {
      sections: journal.grantCount,
      'lost in time': journal.lostCount,
      'overlaps excused': journal.excusedCount,
      'guarded writes': monitor.writeCount,
      'sessions over': monitor.sessionsLostCount,
      'sets reaped': monitor.reapedCount,
      'ms until that, at most': Math.round(monitor.reapMsMax),
      'ms until a killed one was over, at most': Math.round(this.#deathMsMax()),
      'revisions compared': copies.revisionCount,
      'copies compared': copies.copyCount,
      'calls repeated': sum(({ repeatedCount }) => repeatedCount),
      'answers and lines lost': sum(({ lostCount }) => lostCount),
      ...Object.fromEntries(this.#counts),
    };
    return { faults: found, sectionCount: journal.grantCount, stats };
  }

  async remove(): Promise<void> {
    for (const { process } of this.#clients) process.kill('SIGKILL');
    this.#monitor.close();
    for (const network of this.#networks) await network.close();
    await this.#cluster.remove();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #scene(fault: FaultName): Scene {
    return {
      leaseMs,
      cluster: this.#cluster,
      networks: this.#networks,
      random: this.#random,
      leaderStoppedMs: this.#plan.leaderStoppedMs,
      anyClient: () =>
        this.#clients[Math.floor(this.#random() * this.#clients.length)] as ChaosClient,
      replace: async (client) => {
        const line = { client: client.name, do: 'kill' };
        appendFileSync(this.#journalPath, `${JSON.stringify(line)}\n`);
        this.#clients.splice(this.#clients.indexOf(client), 1);
        client.process.kill('SIGKILL');
        this.#killedMs.set(client.name, performance.now());
        await this.#start();
      },
      after: (ms, fn) => {
        const over = (): void => {
          if (needsAll.has(fault)) this.#isLeaderAway = false;
          fn();
        };
        const timer = setTimeout(() => {
          this.#later.delete(timer);
          over();
        }, ms);
        this.#later.set(timer, over);
      },
    };
  }

  async #start(): Promise<void> {
    const client = String(++this.#startedCount);
    const { isHalfDirect, holdMsMax } = this.#plan;
    const isDirect = isHalfDirect && this.#startedCount % 2 === 0;
    const orders: ClientOrders = {
      hosts: isDirect ? this.#cluster.hosts : this.#networks.map(({ url }) => url),
      members: this.#cluster.hosts,
      journalPath: this.#journalPath,
      grantsPath: this.#grantsPath,
      digestsPath: this.#digestsPath,
      name,
      seed: this.#plan.seed + this.#startedCount,
      client,
      leaseSeconds,
      holdMsMax,
    };
    const process = startClient(this.#plan.program, JSON.stringify(orders));
    await heard(process);
    this.#clients.push({ name: client, process });
  }

  #sectionCount(): number {
    return readFileSync(this.#journalPath, 'utf8').split('"begin"').length - 1;
  }

  /** None may end by itself, whatever befalls it. */
  #noteDeaths(): void {
    for (const client of this.#clients.filter(isOver)) {
      this.#clients.splice(this.#clients.indexOf(client), 1);
      const { exitCode, signalCode } = client.process;
      if (exitCode === 0) continue;
      this.#faults.push(`client ${client.name} ended with ${exitCode ?? signalCode}`);
    }
  }

  async #checkNothingIsLeft(): Promise<void> {
    const domain = await openEtcdDomain(this.#cluster.hosts, { name, leaseSeconds: 60 });
    const { replica, log } = this.#monitor;
    const isAlone = (): boolean => replica.sessions.size === 1 && replica.sets.size === 0;
    const endMs = performance.now() + this.#plan.calmMsMax;
    while (!isAlone() && performance.now() < endMs) {
      await log.reach(10_000);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    if (!isAlone()) this.#faults.push(`left in the log: ${replica.digest()}`);
    // It takes a healthy exclusive holder to clear the flags of those that died.
    const names = ['a', 'b', 'c', 'd', 'e', 'x', 'y', 'z'];
    const all = await domain.tryAcquire({ exclusive: names });
    if (all === null) this.#faults.push('not all can be had in the end');
    await all?.release();
    await domain.close();
    await log.reach(10_000);
    if (replica.flags.size > 0) this.#faults.push(`flags are left: ${[...replica.flags]}`);
    await this.#checkNoKeyIsLeft();
  }

  /** But for the chain, the version, and what the clients wrote under their grants. */
  async #checkNoKeyIsLeft(): Promise<void> {
    const { prefix, chain, version } = this.#monitor.keys;
    const answer = await (await this.#cluster.leader()).call('/v3/kv/range', prefixRange(prefix));
    const { items } = rangeIn(answer ?? {});
    const isLeft = (key: string): boolean =>
      key !== chain && key !== version && !key.startsWith(`${prefix}x/`);
    const left = items.filter(({ key }) => isLeft(key));
    if (left.length > 0) this.#faults.push(`keys are left: ${left.map(({ key }) => key)}`);
  }

  /** From the death of a client to the end of its session. */
  #deathMsMax(): number {
    const ms = [...this.#killedMs].map(([client, killedMs]) => {
      return (this.#monitor.sessionEndMs(`${client}f`) ?? killedMs) - killedMs;
    });
    return Math.max(0, ...ms);
  }
}

interface CopyFindings {
  readonly faults: readonly string[];
  /** Those that more than one copy has been at. */
  readonly revisionCount: number;
  readonly copyCount: number;
}

/** All copies must be the same at the same revision: lines of client, revision and hash. */
function checkCopies(text: string, observed: ReadonlyMap<number, string>): CopyFindings {
  const known = new Map(observed);
  const compared = new Set<number>();
  const faults: string[] = [];
  let copyCount = 0;
  for (const line of text.split('\n')) {
    const [client, at, hash] = line.split(' ');
    if (hash === undefined) continue;
    const revision = Number(at);
    const first = known.get(revision);
    if (first === undefined) known.set(revision, hash);
    if (first === undefined) continue;
    compared.add(revision);
    copyCount++;
    if (first !== hash) faults.push(`the copy of ${client} is another one at ${revision}`);
  }
  return { faults: faults.slice(0, 10), revisionCount: compared.size, copyCount };
}

function linesOf<T>(path: string): readonly T[] {
  const text = readFileSync(path, 'utf8').trimEnd();
  return text === '' ? [] : text.split('\n').map((line) => JSON.parse(line) as T);
}

function isOver({ process }: ChaosClient): boolean {
  return process.exitCode !== null || process.signalCode !== null;
}

async function withinMs(ms: number, promise: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([promise, over]);
  clearTimeout(timer);
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const keyed = items.map((item) => ({ item, key: random() }));
  return keyed.sort((one, other) => one.key - other.key).map(({ item }) => item);
}
