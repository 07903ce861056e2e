/**
 * The simulated server against a real one: the same commands and the same scripts, with the same
 * time, must give the same replies, messages, and keys.
 */

import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SeededRandom } from '../../sim/random.ts';
import { runCommand } from '../../sim/redis/commands.ts';
import { Keyspace } from '../../sim/redis/keyspace.ts';
import { LuaMachine, RedisError, type Reply, Status } from '../../sim/redis/lua.ts';
import { type ScriptName, scriptTexts } from '../../src/backends/redis/scripts.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../redis/server.ts';

const seed = Number(process.env['KDS_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const nowUs = 1_750_000_000_000_000;

/**
 * Replies as both sides are compared: no classes, errors by their codes, unordered things sorted.
 */
type Plain = string | number | null | { readonly error: string } | readonly Plain[];

interface Side {
  run(script: string, keys: readonly string[], args: readonly string[]): Promise<Plain>;
  dump(): Promise<unknown>;
  /** What was published, in order, since this was last asked. */
  messages(): Promise<readonly string[]>;
}

class Simulated implements Side {
  readonly #lua: LuaMachine;
  readonly keyspace = new Keyspace();
  #messages: string[] = [];

  constructor(lua: LuaMachine) {
    this.#lua = lua;
  }

  async run(script: string, keys: readonly string[], args: readonly string[]): Promise<Plain> {
    const publish = (channel: string, message: string): number => {
      this.#messages.push(`${channel} ${message}`);
      return 1;
    };
    const surroundings = { keyspace: this.keyspace, nowUs, publish };
    const bytes = (text: string): string => Buffer.from(text).toString('latin1');
    try {
      const compiled = this.#lua.compile(bytes(script));
      const call = (words: readonly string[]): Reply => runCommand(surroundings, words);
      return plain(this.#lua.run(compiled, keys.map(bytes), args.map(bytes), call));
    } catch (error) {
      return plain(error);
    } finally {
      this.keyspace.commit();
    }
  }

  async dump(): Promise<unknown> {
    return this.keyspace.dump();
  }

  async messages(): Promise<readonly string[]> {
    return this.#messages.splice(0);
  }
}

class Real implements Side {
  readonly #redis: Redis;
  readonly #subscriber: Redis;
  #messages: string[] = [];

  private constructor(port: number) {
    this.#redis = new Redis({ port, host: '127.0.0.1' });
    this.#subscriber = new Redis({ port, host: '127.0.0.1' });
    this.#subscriber.on('pmessageBuffer', (_pattern: Buffer, channel: Buffer, text: Buffer) =>
      this.#messages.push(`${channel.toString('latin1')} ${text.toString('latin1')}`),
    );
  }

  static async connect(port: number): Promise<Real> {
    const real = new Real(port);
    await real.#subscriber.psubscribe('*');
    return real;
  }

  async run(script: string, keys: readonly string[], args: readonly string[]): Promise<Plain> {
    try {
      const reply = await this.#redis.callBuffer('EVAL', script, keys.length, ...keys, ...args);
      return plain(reply);
    } catch (error) {
      return plain(error);
    }
  }

  async dump(): Promise<unknown> {
    const entries = (await this.run(dumpScript, [], [])) as readonly [string, string, Plain][];
    const sorted = [...entries].sort(([one], [other]) => (one < other ? -1 : 1));
    return Object.fromEntries(sorted.map(([key, kind, value]) => [key, readValue(kind, value)]));
  }

  /** A message of its own comes after all those before it. */
  async messages(): Promise<readonly string[]> {
    const isThere = (): boolean => this.#messages.at(-1) === 'end of messages end';
    const there = new Promise<void>((resolve) => {
      const listener = (): void => {
        if (!isThere()) return;
        this.#subscriber.off('pmessageBuffer', listener);
        resolve();
      };
      this.#subscriber.on('pmessageBuffer', listener);
    });
    await this.#redis.publish('end of messages', 'end');
    await there;
    return this.#messages.splice(0).slice(0, -1);
  }

  async clear(): Promise<void> {
    await this.#redis.flushall();
    await this.messages();
  }

  close(): void {
    this.#redis.disconnect();
    this.#subscriber.disconnect();
  }
}

const dumpScript = `
local readers = { string = { 'GET' }, hash = { 'HGETALL' }, set = { 'SMEMBERS' },
  zset = { 'ZRANGE', 0, -1, 'WITHSCORES' } }
local all = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  local kind = redis.call('TYPE', key).ok
  local reader = readers[kind]
  all[#all + 1] = { key, kind, redis.call(reader[1], key, unpack(reader, 2)) }
end
return all`;

function readValue(kind: string, value: Plain): unknown {
  if (kind === 'string') return value;
  const words = value as readonly string[];
  if (kind === 'set') return [...words].sort();
  const pairs = words.flatMap((word, at) => (at % 2 === 0 ? [[word, words[at + 1]] as const] : []));
  return kind === 'hash' ? Object.fromEntries(pairs) : pairs.map(([name, x]) => [name, Number(x)]);
}

function plain(reply: unknown): Plain {
  if (reply instanceof RedisError || (reply instanceof Error && reply.name === 'ReplyError')) {
    return { error: reply.message.replace(/,? ?script: .*$/s, '').replace(/user_script:\d+/, '') };
  }
  if (reply instanceof Error) throw reply;
  if (reply instanceof Status) return reply.text;
  if (Buffer.isBuffer(reply)) return reply.toString('latin1');
  if (Array.isArray(reply)) return reply.map(plain);
  return reply as string | number | null;
}

/** A script of `count` steps on both sides, the same keys after each few. */
async function compare(
  sides: readonly [Side, Side],
  count: number,
  next: () => { script: string; keys: readonly string[]; args: readonly string[] },
): Promise<ReadonlyMap<string, number>> {
  const outcomes = new Map<string, number>();
  const [simulated, real] = sides;
  for (let step = 0; step < count; step++) {
    const { script, keys, args } = next();
    const context = `step ${step} of KDS_SEED=${seed}: ${keys.join(' ')} ${JSON.stringify(args)}`;
    const replies = [await simulated.run(script, keys, args), await real.run(script, keys, args)];
    expect(replies[0], context).toEqual(replies[1]);
    if (step % 8 === 0 || step === count - 1) {
      expect(await simulated.dump(), context).toEqual(await real.dump());
      expect(await simulated.messages(), context).toEqual(await real.messages());
    }
    const outcome =
      JSON.stringify(replies[1])
        ?.replace(/[\d"[\]\\]/g, '')
        .split(/\W/)[0] ?? '';
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  return outcomes;
}

/** Any command that the simulated server has, in any of its forms, on keys of any kind. */
function randomCommand(random: SeededRandom): readonly string[] {
  const key = (): string => random.pick(['a', 'b', 'c', 'd', 'e']);
  const name = (): string => random.pick(['x', 'y', 'z', '\u00e9', '10', '9']);
  const names = (): string[] => Array.from({ length: random.between(1, 3) }, name);
  const score = (): string => random.pick(['0', '1', '2', '-3', '1750000000000000', 'one']);
  const bound = (): string => random.pick(['-inf', '+inf', '1', '(1', '2', '(-3', '(+inf', 'x']);
  const index = (): string => random.pick(['0', '1', '2', '-1', '-2', '9', '-9', 'x']);
  const limit = (): string[] =>
    random.chance(0.5) ? [] : ['LIMIT', random.pick(['0', '1']), random.pick(['0', '1', '-1'])];
  const scored = (): string[] => (random.chance(0.5) ? [] : ['WITHSCORES']);
  return random.pick<() => string[]>([
    () => ['DEL', key(), key()],
    () => ['EXISTS', key(), key()],
    () => ['GET', key()],
    () => ['SET', key(), name()],
    () => ['HGET', key(), name()],
    () => ['HMGET', key(), ...names()],
    () => ['HSET', key(), name(), score(), name(), name()],
    () => ['HINCRBY', key(), name(), score()],
    () => ['SADD', key(), ...names()],
    () => ['SREM', key(), ...names()],
    () => ['SCARD', key()],
    () => ['SISMEMBER', key(), name()],
    () => ['ZADD', key(), score(), name(), score(), name()],
    () => ['ZREM', key(), ...names()],
    () => ['ZCARD', key()],
    () => ['ZSCORE', key(), name()],
    () => ['ZRANGE', key(), index(), index(), ...scored()],
    () => ['ZREVRANGE', key(), index(), index(), ...scored()],
    () => ['ZRANGEBYSCORE', key(), bound(), bound(), ...limit()],
    () => ['ZREVRANGEBYSCORE', key(), bound(), bound(), ...limit()],
    () => ['PUBLISH', 'channel', name()],
  ])();
}

interface ScriptCall {
  readonly name: ScriptName;
  readonly args: readonly string[];
}

/** What random calls seldom come to: a circle of two who keep what the other one waits for. */
const circle: readonly ScriptCall[] = [
  { name: 'heartbeat', args: ['s1', 'open', '9000', '', '2'] },
  { name: 'heartbeat', args: ['s2', 'open', '9000', '', '2'] },
  { name: 'enqueue', args: ['s1', '1', 'wait', 'xa\n', '', '', ''] },
  { name: 'enqueue', args: ['s2', '1', 'wait', 'xa\nxb\n', '', '', ''] },
  { name: 'enqueue', args: ['s1', '2', 'wait', 'xb\n', '', '', '1'] },
];

/** Calls of the host's scripts, as several sessions may make them, sensible and not. */
function randomCall(random: SeededRandom, numbers: Map<string, number>): ScriptCall {
  const session = random.pick(['s1', 's2', 's3', 's4']);
  const called = numbers.get(session) ?? 0;
  const next = (): string => {
    const number = random.chance(0.9) ? called + 1 : random.between(1, called + 2);
    numbers.set(session, Math.max(called, number));
    return String(number);
  };
  const before = (): string => String(random.between(Math.max(1, called - 6), Math.max(1, called)));
  const links = (mode?: string): string => {
    const names = ['a', 'b', 'c', '\u00e9'].filter(() => random.chance(0.45));
    return names.map((each) => `${mode ?? random.pick(['x', 's', 's'])}${each}\n`).join('');
  };
  const part = (): string => random.pick(['a\n', 'b\n', 'a\nc\n']);
  const change = (): string =>
    random.chance(0.7)
      ? `${random.pick(['R', 'R', 'C', 'A', 'T'])}${before()}`
      : `${random.pick(['P', 'D'])}${before()}\n${part()}`;
  const keeps = (): string => (random.chance(0.8) ? '' : `${before()} ${before()}`);
  const cursor = (): string[] => (random.chance(0.5) ? ['', ''] : [session, before()]);
  const how = random.pick(['wait', 'wait', 'wait', 'now', 'steal', 'observe']);
  const set = links(how === 'steal' ? 'x' : undefined);
  const life = random.pick(['open', 'open', 'renew', 'renew', 'renew', 'close', 'abandon']);
  const lease = random.pick(['1000', '9000']);
  return random.pick<() => ScriptCall>([
    () => ({ name: 'enqueue', args: [session, next(), how, set, 'label', 'scope', keeps()] }),
    () => ({ name: 'enqueue', args: [session, next(), how, set, '', '', keeps()] }),
    () => ({ name: 'enqueue', args: [session, next(), how, set, '', '', keeps()] }),
    () => ({ name: 'change', args: [session, next(), change(), change()] }),
    () => ({ name: 'change', args: [session, next(), change()] }),
    () => ({ name: 'heartbeat', args: [session, life, lease, `about ${session}`, '2'] }),
    () => ({ name: 'heartbeat', args: [session, 'open', lease, `about ${session}`, '2'] }),
    () => ({ name: 'audit', args: [session, before(), '4'] }),
    () => ({ name: 'query', args: [session, random.pick(['1', '100']), ...cursor()] }),
  ])();
}

let lua: LuaMachine;
beforeAll(async () => {
  lua = await LuaMachine.create();
});

describeWithRedis('the simulated server, beside a real one', () => {
  let server: RedisServer;
  let real: Real;
  beforeAll(async () => {
    server = await startRedisServer();
    real = await Real.connect(server.port);
  });
  afterAll(async () => {
    real?.close();
    await server?.stop();
  });

  it('answers any command alike, and has the same keys then', async () => {
    const random = new SeededRandom(seed);
    await real.clear();
    await compare([new Simulated(lua), real], 3000, () => {
      const args = randomCommand(random);
      const call = random.pick(['call', 'pcall']);
      return { script: `return redis.${call}(unpack(ARGV))`, keys: [], args };
    });
  });

  it('runs the scripts of the backend alike, and has the same keys and messages then', async () => {
    const random = new SeededRandom(seed);
    const seen = new Map<string, number>();
    for (let round = 0; round < 12; round++) {
      await real.clear();
      const numbers = new Map<string, number>();
      const first = [...circle];
      let timeUs = nowUs;
      const outcomes = await compare([new Simulated(lua), real], 120, () => {
        const { name, args } = first.shift() ?? randomCall(random, numbers);
        // Both take their time from the call, as no two clocks agree.
        if (first.length === 0) timeUs += random.pick([0, 10, 100_000, 900_000]);
        const time = `{ '${Math.floor(timeUs / 1e6)}', '${timeUs % 1e6}' }`;
        const script = scriptTexts[name].replace("call('TIME')", time);
        if (script === scriptTexts[name]) throw new Error('the time is read in another way now');
        return { script, keys: ['{kds:x}:seq'], args };
      });
      for (const [outcome, count] of outcomes) seen.set(outcome, (seen.get(outcome) ?? 0) + count);
    }
    for (const outcome of [
      'granted',
      'waiting',
      'denied',
      'deadlock',
      'over',
      'expired',
      'alive',
    ]) {
      expect(seen.get(outcome), `${outcome}, of KDS_SEED=${seed}`).toBeGreaterThan(0);
    }
  });
});

describe('the Lua of the simulation', () => {
  const run = (text: string): Reply => lua.run(lua.compile(text), ['k'], ['a'], () => null);

  it.each([
    ['x = 1', 'create global variable'],
    ['return y', 'nonexistent global variable'],
    ['return table.unpack({})', 'nil value'],
    ['return os.time()', 'nonexistent global variable'],
    ['return 1 //', 'Error compiling script'],
    ['return redis.call({})', 'must be strings or integers'],
  ])('refuses %s as a real server does', (text, reason) => {
    expect(() => run(text)).toThrow(RedisError);
    expect(() => run(text)).toThrow(reason);
  });

  it('prints numbers with 14 digits, and walks tables in the order of their keys', () => {
    expect(run('return tostring(2^53)')).toBe('9.007199254741e+15');
    const script =
      'local t = {} for k in pairs({ b = 1, a = 1, c = 1 }) do t[#t + 1] = k end return t';
    expect(run(script)).toEqual(['a', 'b', 'c']);
  });

  it('lets no script catch what is wrong with the simulation', () => {
    const broken = (): never => {
      throw new Error('no such command');
    };
    const script = lua.compile("pcall(redis.call, 'X') return 'caught'");
    expect(() => lua.run(script, [], [], broken)).toThrow('no such command');
  });

  it('undoes the last steps, and no others', () => {
    const keyspace = new Keyspace();
    const step = (...words: string[]): void => {
      runCommand({ keyspace, nowUs, publish: () => 0 }, words);
      keyspace.commit();
    };
    step('HSET', 'h', 'f', '1');
    const before = keyspace.dump();
    step('HSET', 'h', 'f', '2', 'g', '3');
    step('DEL', 'h');
    step('ZADD', 'z', '1', 'm');
    step('GET', 'z2');
    expect(keyspace.rollBack(3)).toBe(3);
    expect(keyspace.dump()).toEqual(before);
    expect(keyspace.rollBack(9)).toBe(1);
    expect(keyspace.dump()).toEqual({});
  });
});
