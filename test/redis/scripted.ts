/** Sessions that speak to the scripts as they are, a call at a time, and what the keys then say. */

import { Redis } from 'ioredis';
import { encodeUnits, type Mode, modeOf, takesAll } from '../../src/api/mode.ts';
import { connectIoredis } from '../../src/backends/redis/ioredis.ts';
import { layoutVersion } from '../../src/backends/redis/leased-session.ts';
import { readLink, readLinks, rootOf } from '../../src/backends/redis/names.ts';
import { type ScriptName, type ScriptReply, Scripts } from '../../src/backends/redis/scripts.ts';
import { systemClock } from '../../src/runtime/clock.ts';

const leaseMsDefault = 600_000;

/** A domain that only scripts are run on. */
export class ScriptedDomain {
  readonly redis: Redis;
  readonly root: string;
  readonly #scripts: Scripts;
  #sessionLast = 0;

  constructor(port: number, name: string) {
    this.redis = new Redis({ port, host: '127.0.0.1' });
    this.root = rootOf(name);
    const connection = connectIoredis(this.redis);
    this.#scripts = new Scripts(connection, systemClock, this.root, 60_000);
  }

  async run(name: ScriptName, ...args: readonly string[]): Promise<ScriptReply> {
    return this.#scripts.run(name, args);
  }

  async session(leaseMs = leaseMsDefault): Promise<ScriptedSession> {
    if (this.redis.status !== 'ready') await this.redis.ping();
    this.#sessionLast++;
    const session = new ScriptedSession(this, `session-${this.#sessionLast}`);
    await session.beat('open', leaseMs);
    return session;
  }

  /** All keys that are there, without what they begin with. */
  async keys(): Promise<readonly string[]> {
    const keys = await this.redis.keys('*');
    const own = keys.filter((key) => key.startsWith(this.root));
    return own.map((key) => key.slice(this.root.length)).sort();
  }

  async close(): Promise<void> {
    const keys = await this.keys();
    if (keys.length > 0) await this.redis.del(...keys.map((key) => this.root + key));
    this.redis.disconnect();
  }
}

export interface AskTerms {
  readonly how?: 'wait' | 'now' | 'steal' | 'observe';
  readonly label?: string;
  readonly keeps?: readonly number[];
  readonly number?: number;
}

export class ScriptedSession {
  readonly domain: ScriptedDomain;
  readonly id: string;
  numberLast = 0;
  /** Lines of notifications, as they came with answers. */
  readonly notifications: string[] = [];

  constructor(domain: ScriptedDomain, id: string) {
    this.domain = domain;
    this.id = id;
  }

  /** Asks for 'x<name>' and 's<name>', by the next number. Returns the answer. */
  async ask(links: readonly string[], terms: AskTerms = {}): Promise<readonly string[]> {
    const { how = 'wait', label = '', keeps = [], number = this.numberLast + 1 } = terms;
    this.numberLast = Math.max(this.numberLast, number);
    const set = links.map((link) => `${link}\n`).join('');
    return this.#run('enqueue', `${number}`, how, set, label, '', keeps.join(' '));
  }

  async change(...changes: readonly string[]): Promise<readonly string[]> {
    this.numberLast++;
    return this.#run('change', `${this.numberLast}`, ...changes);
  }

  async beat(what: 'open' | 'renew' | 'close' | 'abandon', leaseMs = leaseMsDefault) {
    return this.#run('heartbeat', what, `${leaseMs}`, '', `${layoutVersion}`);
  }

  async audit(from = 0, countMax = 100): Promise<readonly string[]> {
    return this.#run('audit', `${from}`, `${countMax}`);
  }

  async #run(name: ScriptName, ...args: readonly string[]): Promise<readonly string[]> {
    const { answer, notifications } = await this.domain.run(name, this.id, ...args);
    if (notifications !== '') this.notifications.push(...notifications.split('\n'));
    return answer as readonly string[];
  }
}

/** A set as the keys have it. */
export interface SetSeen {
  readonly id: string;
  readonly session: string;
  readonly number: number;
  readonly modes: ReadonlyMap<string, Mode>;
  readonly token: number | undefined;
  readonly isObserver: boolean;
}

/**
 * Reads all keys of a domain, and returns its sets in arrival order. Throws if they do not agree
 * with each other: each link in one queue, the triggered ones first, no pending count wrong, no
 * first one that need not wait unless it is due, nothing that belongs to nobody.
 */
export async function readAll(domain: ScriptedDomain): Promise<readonly SetSeen[]> {
  const { redis, root } = domain;
  const keys = new Set(await domain.keys());
  const expected = new Set(['seq', 'recovered', 'sessions', 'observers', 'due']);
  const due = new Set(await redis.zrange(`${root}due`, '0', '-1'));
  const sets: SetSeen[] = [];
  const queues = new Map<string, { triggered: string[]; waiting: string[] }>();
  for (const key of keys) {
    const kind = key.slice(0, 2);
    if (kind !== 't:' && kind !== 'w:') continue;
    const name = key.slice(2);
    const queue = queues.get(name) ?? { triggered: [], waiting: [] };
    queue[kind === 't:' ? 'triggered' : 'waiting'] = await redis.zrange(root + key, '0', '-1');
    queues.set(name, queue);
    expected.add(key);
  }
  for (const session of await redis.zrange(`${root}sessions`, '0', '-1')) {
    expected.add(`s:${session}`).add(`l:${session}`);
    for (const id of await redis.zrangebyscore(`${root}l:${session}`, 1, '+inf')) {
      const set = await redis.hgetall(`${root}q:${id}`);
      expected.add(`q:${id}`).add(`k:${id}`);
      sets.push(await readSet(domain, id, session, set, queues, expected, due));
    }
  }
  for (const [name, { triggered, waiting }] of queues) {
    checkQueue(name, triggered, waiting, due);
    if (triggered.length + waiting.length > 0) fail(`${name} has links of no set`);
  }
  for (const key of keys) if (!expected.has(key)) fail(`${key} belongs to nobody`);
  return sets.sort((one, other) => Number(one.id) - Number(other.id));
}

async function readSet(
  { redis, root }: ScriptedDomain,
  id: string,
  session: string,
  set: Record<string, string>,
  queues: Map<string, { triggered: string[]; waiting: string[] }>,
  expected: Set<string>,
  due: ReadonlySet<string>,
): Promise<SetSeen> {
  const modes = new Map<string, Mode>();
  let pendingCount = 0;
  const isObserver = set['observe'] !== undefined;
  for (const { units, resource: keyName } of readLinks(set['links'] ?? '')) {
    modes.set(keyName, modeOf({ units }));
    const link = `${encodeUnits(units)}${id}`;
    if (isObserver) {
      const list = `o${encodeUnits(units)}:${keyName}`;
      expected.add(list);
      if ((await redis.zscore(root + list, id)) !== null) pendingCount++;
      continue;
    }
    const queue = queues.get(keyName);
    if (queue?.waiting.includes(link)) pendingCount++;
    else if (!queue?.triggered.includes(link)) fail(`link ${link} of ${keyName} is missing`);
    if (queue !== undefined) checkQueue(keyName, queue.triggered, queue.waiting, due);
  }
  if (Number(set['pending']) !== pendingCount) fail(`${id} says ${set['pending']} pending`);
  if ((set['token'] !== undefined) !== (pendingCount === 0)) fail(`${id} is granted, or not`);
  const token = set['token'] === undefined ? undefined : Number(set['token']);
  const number = Number(set['number']);
  takeLinks(id, queues);
  return { id, session, number, modes, token, isObserver };
}

const checked = new WeakSet<object>();

function checkQueue(
  name: string,
  triggered: string[],
  waiting: string[],
  due: ReadonlySet<string>,
): void {
  if (checked.has(triggered)) return;
  checked.add(triggered);
  const isShared = (link: string): boolean => !takesAll(readLink(link).units);
  if (triggered.length > 1 && !triggered.every(isShared)) fail(`${name} has two owners`);
  const [front, first] = [triggered[0], waiting[0]];
  if (first === undefined || due.has(name)) return;
  if (front === undefined || (isShared(front) && isShared(first))) fail(`${name} has not moved on`);
}

function takeLinks(id: string, queues: Map<string, { triggered: string[]; waiting: string[] }>) {
  for (const queue of queues.values()) {
    for (const links of [queue.triggered, queue.waiting]) {
      const at = links.findIndex((link) => readLink(link).resource === id);
      if (at >= 0) links.splice(at, 1);
    }
  }
}

function fail(what: string): never {
  throw new Error(`the keys do not agree: ${what}`);
}
