/**
 * Processes that ask for random sets in one domain, while what can go wrong does. Then it is calm,
 * all that has been begun must end, nothing may be left, and what everybody wrote down is compared:
 * the clients' journal, the log of the fenced store, and the server's own file.
 */

import { once } from 'node:events';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { openRedisDomain, type RedisDomain } from 'kds/redis';
import { rootOf } from '../../../src/backends/redis/names.ts';
import { heard, startClient } from '../../broker/programs.ts';
import { checkJournal, type Line, lostTokens } from '../../stress/journal.ts';
import { randomFrom } from '../../stress/random.ts';
import { BadNetwork } from '../bad-network.ts';
import type { ClientOrders } from './client.ts';
import { anyFault, type ChaosClient, type FaultName, faults, type Scene } from './faults.ts';
import { checkStoreLog, FencedStore } from './fenced-store.ts';
import { RedisProcess } from './redis-process.ts';
import { readHistory } from './server-history.ts';

export interface ChaosPlan {
  /** client.ts, bundled. */
  readonly program: string;
  readonly seconds: number;
  /** It goes on until there have been as many. */
  readonly sectionCountMin?: number;
  readonly seed: number;
  readonly faultNames: readonly FaultName[];
  readonly clientCount?: number;
  readonly leaseMs?: number;
  /** Between two faults, at most. */
  readonly pauseMsMax?: number;
  /** Of the commands, those that are delivered once more. */
  readonly repeatedShare?: number;
  /** Whether it ends as soon as something stale was accepted. */
  readonly endsAtStale?: boolean;
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
  clientCount: 8,
  leaseMs: 1500,
  pauseMsMax: 500,
  repeatedShare: 0.05,
  endsAtStale: false,
  calmMsMax: 60_000,
};
const domainName = 'chaos';
const root = rootOf(domainName);

export async function runChaos(plan: ChaosPlan): Promise<ChaosFindings> {
  const chaos = await ChaosRun.prepare(plan);
  try {
    await chaos.run();
    await chaos.comeToRest();
    return await chaos.judge();
  } finally {
    await chaos.remove();
  }
}

class ChaosRun {
  readonly #plan: Required<ChaosPlan>;
  readonly #folder = mkdtempSync(join(tmpdir(), 'kds-chaos-'));
  readonly #journalPath = join(this.#folder, 'journal');
  readonly #random: () => number;
  readonly #server: RedisProcess;
  readonly #storeServer: RedisProcess;
  readonly #store: Redis;
  readonly #network: BadNetwork;
  readonly #clients: ChaosClient[] = [];
  readonly #later = new Map<NodeJS.Timeout, () => void>();
  readonly #faults: string[] = [];
  readonly #counts = new Map<FaultName, number>();
  #startedCount = 0;

  private constructor(
    plan: ChaosPlan,
    server: RedisProcess,
    storeServer: RedisProcess,
    network: BadNetwork,
  ) {
    this.#plan = { ...defaults, ...plan };
    this.#random = randomFrom(plan.seed);
    this.#server = server;
    this.#storeServer = storeServer;
    this.#store = new Redis({ path: storeServer.socketPath });
    this.#network = network;
    writeFileSync(this.#journalPath, '');
  }

  static async prepare(plan: ChaosPlan): Promise<ChaosRun> {
    const server = await RedisProcess.durable();
    const storeServer = await RedisProcess.inMemory();
    const network = await BadNetwork.before(server.socketPath);
    return new ChaosRun(plan, server, storeServer, network);
  }

  async run(): Promise<void> {
    const { seconds, sectionCountMin, clientCount, repeatedShare, leaseMs } = this.#plan;
    const { faultNames, pauseMsMax } = this.#plan;
    const random = this.#random;
    this.#network.repeats = ({ words }) => {
      if (!String(words[0]).startsWith('EVAL') || random() >= repeatedShare) return undefined;
      return random() < 0.5 ? random() * 5 : random() * leaseMs;
    };
    await Promise.all(Array.from({ length: clientCount }, () => this.#start()));
    const scene = this.#scene();
    const endMs = performance.now() + seconds * 1000;
    // Each fault once, in any order, then any of them: a short run has them all, too.
    const first = shuffled(faultNames, random);
    // On a slow machine it takes longer to make as many sections.
    const isDone = (): boolean =>
      performance.now() > endMs && first.length === 0 && this.#sectionCount() >= sectionCountMin;
    while (!isDone() && this.#faults.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 50 + random() * pauseMsMax));
      const name = first.pop() ?? anyFault(faultNames, random);
      if (name === undefined) continue;
      this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
      await faults[name](scene);
      this.#noteDeaths();
      if (this.#plan.endsAtStale && (await this.#hasAcceptedStale())) return;
    }
  }

  /** Nothing goes wrong any more: all that was begun ends, and nothing is left. */
  async comeToRest(): Promise<void> {
    const { calmMsMax, leaseMs } = this.#plan;
    for (const [timer, fn] of this.#later) {
      clearTimeout(timer);
      fn();
    }
    this.#later.clear();
    this.#network.repeats = () => undefined;
    const endMs = performance.now() + calmMsMax;
    this.#noteDeaths();
    const running = this.#clients.filter((client) => !isOver(client));
    const ends = running.map(({ process }) => once(process, 'exit'));
    for (const { process } of running) process.send('stop');
    await withinMs(calmMsMax, Promise.all(ends));
    for (const { name, process } of running.filter((client) => !isOver(client))) {
      this.#faults.push(`client ${name} did not come to an end`);
      process.kill('SIGKILL');
    }
    this.#noteDeaths();
    await this.#network.close();
    await this.#checkNothingIsLeft(Math.max(endMs - performance.now(), 4 * leaseMs));
  }

  async judge(): Promise<ChaosFindings> {
    const history = readHistory(this.#server.readAppendOnlyFile(), root);
    const text = readFileSync(this.#journalPath, 'utf8').trimEnd();
    const lines = text === '' ? [] : text.split('\n').map((line) => JSON.parse(line) as Line);
    const journal = checkJournal(lines, (token, later) => history.wasLostBefore(token, later));
    const log = await new FencedStore(this.#store).readLog();
    // Whoever gave a grant up, as its lease might have run out, goes on in its section all the
    // same.
    const givenUp = lostTokens(lines);
    const wasLost = (token: number): boolean => givenUp.has(token) || history.wasLost(token);
    const store = checkStoreLog(log, wasLost);
    const faultsFound = [
      ...this.#faults,
      ...history.faults.map((fault) => `server: ${fault}`),
      ...journal.faults.map((fault) => `journal: ${fault}`),
      ...store.faults.map((fault) => `store: ${fault}`),
    ];
    const stats = {
      sections: journal.grantCount,
      'lost in time': journal.lostCount,
      'overlaps excused': journal.excusedCount,
      accesses: store.acceptedCount,
      'stale ones refused': store.refusedCount,
      'leases over': history.expiredCount,
      'commands repeated': this.#network.repeatedCount,
      'lines cut': this.#network.cutCount,
      ...Object.fromEntries(this.#counts),
    };
    return { faults: faultsFound, sectionCount: journal.grantCount, stats };
  }

  async remove(): Promise<void> {
    for (const { process } of this.#clients) process.kill('SIGKILL');
    this.#store.disconnect();
    await this.#server.remove();
    await this.#storeServer.remove();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #scene(): Scene {
    return {
      leaseMs: this.#plan.leaseMs,
      network: this.#network,
      server: this.#server,
      random: this.#random,
      anyClient: () =>
        this.#clients[Math.floor(this.#random() * this.#clients.length)] as ChaosClient,
      replace: async (client) => {
        const line = { client: client.name, do: 'kill' };
        appendFileSync(this.#journalPath, `${JSON.stringify(line)}\n`);
        this.#clients.splice(this.#clients.indexOf(client), 1);
        client.process.kill('SIGKILL');
        await this.#start();
      },
      send: (...command) => this.#send(command),
      after: (ms, fn) => {
        const timer = setTimeout(() => {
          this.#later.delete(timer);
          fn();
        }, ms);
        this.#later.set(timer, fn);
      },
    };
  }

  async #start(): Promise<void> {
    const name = String(++this.#startedCount);
    const orders: ClientOrders = {
      port: this.#network.port,
      storeSocketPath: this.#storeServer.socketPath,
      journalPath: this.#journalPath,
      domainName,
      seed: this.#plan.seed + this.#startedCount,
      client: name,
      library: this.#startedCount % 2 === 0 ? 'ioredis' : 'node-redis',
      leaseMs: this.#plan.leaseMs,
    };
    const process = startClient(this.#plan.program, JSON.stringify(orders));
    await heard(process);
    this.#clients.push({ name, process });
  }

  async #hasAcceptedStale(): Promise<boolean> {
    const log = await new FencedStore(this.#store).readLog();
    return checkStoreLog(log, () => true).faults.length > 0;
  }

  #sectionCount(): number {
    return readFileSync(this.#journalPath, 'utf8').split('"begin"').length - 1;
  }

  async #send(command: readonly string[]): Promise<void> {
    const redis = new Redis({ path: this.#server.socketPath, maxRetriesPerRequest: null });
    redis.on('error', () => undefined);
    const [word = '', ...args] = command;
    await redis.call(word, ...args);
    redis.disconnect();
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

  async #checkNothingIsLeft(msMax: number): Promise<void> {
    const redis = new Redis({ path: this.#server.socketPath });
    try {
      const domain = await openRedisDomain(redis, {
        name: domainName,
        leaseMs: this.#plan.leaseMs,
      });
      const isIdle = await isInTime(msMax, async () => (await sessionCount(redis)) === 1);
      if (!isIdle) this.#faults.push(`still there: ${await whoIsThere(domain)}`);
      // It takes a healthy exclusive holder to clear the marks of those that died.
      const names = ['a', 'b', 'c', 'd', 'e', 'x', 'y', 'z'];
      const all = await domain.tryAcquire({ exclusive: names });
      if (all === null) this.#faults.push('not all can be had in the end');
      await all?.release();
      await domain.close();
      const left = (await redis.keys('*')).filter((key) => key !== `${root}seq`);
      if (isIdle && left.length > 0) this.#faults.push(`left in redis: ${left}`);
    } finally {
      redis.disconnect();
    }
  }
}

/** Sessions of clients that are gone are ended by the beats of those that are not. */
function sessionCount(redis: Redis): Promise<number> {
  return redis.zcard(`${root}sessions`);
}

async function whoIsThere(domain: RedisDomain): Promise<string> {
  const { held, pending } = await domain.query();
  const sets = [...held, ...pending].map(({ id, client, token }) => {
    return `set ${id} of client ${client.label}, ${token === undefined ? 'waiting' : 'held'}`;
  });
  return sets.join('; ') || 'sessions without sets';
}

async function isInTime(msMax: number, isSo: () => Promise<boolean>): Promise<boolean> {
  const endMs = performance.now() + msMax;
  while (!(await isSo())) {
    if (performance.now() > endMs) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return true;
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
