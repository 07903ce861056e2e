/**
 * What the simulated server can do with keys: the commands that the scripts use, as Redis has them,
 * and no others. A command that is not here, or is used in a way that is not, fails the
 * simulation, as nobody has compared it with the real thing (test/sim/store.test.ts does).
 */

import { inOrder, type Keyspace } from './keyspace.ts';
import { RedisError, type Reply, Status } from './lua.ts';

export interface Surroundings {
  readonly keyspace: Keyspace;
  /** The server's clock, in microseconds since 1970. */
  readonly nowUs: number;
  /** Returns how many have been sent it. */
  publish(channel: string, message: string): number;
}

interface Command {
  /** How many words, its name among them; at least so many if negative, as Redis puts it. */
  readonly arity: number;
  readonly run: (server: Surroundings, args: readonly string[]) => Reply;
}

const ok = new Status('OK');

const commands: Readonly<Record<string, Command>> = {
  // Any key
  DEL: { arity: -2, run: ({ keyspace }, keys) => count(keys, (key) => keyspace.delete(key)) },
  EXISTS: {
    arity: -2,
    run: ({ keyspace }, keys) => count(keys, (key) => keyspace.has(key)),
  },
  PEXPIRE: {
    arity: 3,
    run: ({ keyspace, nowUs }, [key = '', ms = '']) =>
      Number(keyspace.expireAt(key, Math.floor(nowUs / 1000) + integer(ms))),
  },
  PTTL: {
    arity: 2,
    run: ({ keyspace, nowUs }, [key = '']) => {
      if (!keyspace.has(key)) return -2;
      const endsAtMs = keyspace.endsAtMs(key);
      return endsAtMs === undefined ? -1 : endsAtMs - Math.floor(nowUs / 1000);
    },
  },
  TIME: {
    arity: 1,
    run: ({ nowUs }) => [String(Math.floor(nowUs / 1e6)), String(nowUs % 1e6)],
  },
  PUBLISH: {
    arity: 3,
    run: (server, [channel = '', message = '']) => server.publish(channel, message),
  },

  // Strings
  GET: { arity: 2, run: ({ keyspace }, [key = '']) => keyspace.read(key, 'string')?.text ?? null },
  SET: {
    arity: -3,
    run: ({ keyspace }, [key = '', text = '', ...options]) => {
      const isGet = options.join().toUpperCase() === 'GET';
      if (options.length > 0 && !isGet) throw new Error(`SET with ${options.join(' ')}`);
      const before = isGet ? (keyspace.read(key, 'string')?.text ?? null) : ok;
      keyspace.delete(key);
      keyspace.write(key, 'string').text = text;
      return before;
    },
  },

  // Hashes
  HGET: {
    arity: 3,
    run: ({ keyspace }, [key = '', field = '']) => fieldsOf(keyspace, key).get(field) ?? null,
  },
  HMGET: {
    arity: -3,
    run: ({ keyspace }, [key = '', ...names]) => {
      const fields = fieldsOf(keyspace, key);
      return names.map((name) => fields.get(name) ?? null);
    },
  },
  HSET: {
    arity: -4,
    run: ({ keyspace }, [key = '', ...words]) => {
      const pairs = pairsOf(words);
      const { fields } = keyspace.write(key, 'hash');
      return count(pairs, ([field, text]) => {
        const isNew = !fields.has(field);
        fields.set(field, text);
        return isNew;
      });
    },
  },
  HDEL: {
    arity: -3,
    run: ({ keyspace }, [key = '', ...names]) => {
      const found = fieldsOf(keyspace, key);
      const there = names.filter((name) => found.has(name));
      if (there.length === 0) return 0;
      const { fields } = keyspace.write(key, 'hash');
      const removed = count(there, (name) => fields.delete(name));
      keyspace.tidy(key);
      return removed;
    },
  },
  HINCRBY: {
    arity: 4,
    run: ({ keyspace }, [key = '', field = '', by = '']) => {
      const step = integer(by);
      const before = fieldsOf(keyspace, key).get(field) ?? '0';
      if (!isInteger(before)) throw new RedisError('ERR hash value is not an integer');
      const next = safe(Number(before) + step);
      keyspace.write(key, 'hash').fields.set(field, String(next));
      return next;
    },
  },

  // Sets
  SADD: {
    arity: -3,
    run: ({ keyspace }, [key = '', ...names]) => {
      const { members } = keyspace.write(key, 'set');
      return count(names, (name) => !members.has(name) && members.add(name) !== undefined);
    },
  },
  SREM: { arity: -3, run: ({ keyspace }, [key = '', ...names]) => remove(keyspace, key, names) },
  SCARD: { arity: 2, run: ({ keyspace }, [key = '']) => membersOf(keyspace, key).size },
  SISMEMBER: {
    arity: 3,
    run: ({ keyspace }, [key = '', name = '']) => Number(membersOf(keyspace, key).has(name)),
  },

  SMEMBERS: { arity: 2, run: ({ keyspace }, [key = '']) => [...membersOf(keyspace, key)].sort() },

  // Sorted sets
  ZADD: {
    arity: -4,
    run: ({ keyspace }, [key = '', ...words]) => {
      const pairs = pairsOf(words).map(([score, name]) => [name, scoreOf(score)] as const);
      const { scores } = keyspace.write(key, 'zset');
      return count(pairs, ([name, score]) => {
        const isNew = !scores.has(name);
        scores.set(name, score);
        return isNew;
      });
    },
  },
  ZREM: {
    arity: -3,
    run: ({ keyspace }, [key = '', ...names]) => {
      const found = scoresOf(keyspace, key);
      const there = names.filter((name) => found.has(name));
      if (there.length === 0) return 0;
      const { scores } = keyspace.write(key, 'zset');
      const removed = count(there, (name) => scores.delete(name));
      keyspace.tidy(key);
      return removed;
    },
  },
  ZCARD: { arity: 2, run: ({ keyspace }, [key = '']) => scoresOf(keyspace, key).size },
  ZSCORE: {
    arity: 3,
    run: ({ keyspace }, [key = '', name = '']) => {
      const score = scoresOf(keyspace, key).get(name);
      return score === undefined ? null : String(score);
    },
  },
  ZRANGE: {
    arity: -4,
    run: ({ keyspace }, [key = '', ...range]) =>
      ranked(() => inOrder(scoresOf(keyspace, key)), range),
  },
  ZREVRANGE: {
    arity: -4,
    run: ({ keyspace }, [key = '', ...range]) => {
      return ranked(() => inOrder(scoresOf(keyspace, key)).reverse(), range);
    },
  },
  ZRANGEBYSCORE: {
    arity: -4,
    run: ({ keyspace }, [key = '', low = '', high = '', ...options]) => {
      const isIn = between(low, high);
      return listed(inOrder(scoresOf(keyspace, key)).filter(isIn), options);
    },
  },
  ZREVRANGEBYSCORE: {
    arity: -4,
    run: ({ keyspace }, [key = '', high = '', low = '', ...options]) => {
      const isIn = between(low, high);
      return listed(inOrder(scoresOf(keyspace, key)).filter(isIn).reverse(), options);
    },
  },
};

/** Runs a command of a script or a client. Throws {@link RedisError}, or fails the simulation. */
export function runCommand(server: Surroundings, words: readonly string[]): Reply {
  const [name = ''] = words;
  const command = commands[name] ?? commands[name.toUpperCase()];
  if (command === undefined) throw new Error(`the simulated server has no command ${name}`);
  const { arity } = command;
  if (arity < 0 ? words.length < -arity : words.length !== arity) {
    throw new Error(`${name} with ${words.length - 1} arguments: ${words.join(' ')}`);
  }
  return command.run(server, words.slice(1));
}

function count<T>(items: readonly T[], isCounted: (item: T) => boolean): number {
  let total = 0;
  for (const item of items) if (isCounted(item)) total++;
  return total;
}

function remove(keyspace: Keyspace, key: string, names: readonly string[]): number {
  const found = membersOf(keyspace, key);
  const there = names.filter((name) => found.has(name));
  if (there.length === 0) return 0;
  const { members } = keyspace.write(key, 'set');
  const removed = count(there, (name) => members.delete(name));
  keyspace.tidy(key);
  return removed;
}

function fieldsOf(keyspace: Keyspace, key: string): ReadonlyMap<string, string> {
  return keyspace.read(key, 'hash')?.fields ?? new Map();
}

function membersOf(keyspace: Keyspace, key: string): ReadonlySet<string> {
  return keyspace.read(key, 'set')?.members ?? new Set();
}

function scoresOf(keyspace: Keyspace, key: string): ReadonlyMap<string, number> {
  return keyspace.read(key, 'zset')?.scores ?? new Map();
}

function pairsOf(words: readonly string[]): readonly (readonly [string, string])[] {
  if (words.length % 2 !== 0) throw new Error(`pairs, of which one is half: ${words.join(' ')}`);
  const pairs: [string, string][] = [];
  for (let at = 0; at < words.length; at += 2) {
    pairs.push([words[at] as string, words[at + 1] as string]);
  }
  return pairs;
}

function isInteger(text: string): boolean {
  return /^(0|-?[1-9]\d{0,15})$/.test(text);
}

/** Numbers are kept to what is safe everywhere: a score is a double, a field 64 bits. */
function integer(text: string): number {
  if (!isInteger(text)) throw new RedisError('ERR value is not an integer or out of range');
  return safe(Number(text));
}

function scoreOf(text: string): number {
  if (!isInteger(text)) throw new RedisError('ERR value is not a valid float');
  return safe(Number(text));
}

function safe(value: number): number {
  if (!Number.isSafeInteger(value)) throw new Error(`${value} is beyond 2^53`);
  return value;
}

/** Those from one index to another, in the order given. The arguments are read first. */
function ranked(
  entriesOf: () => readonly (readonly [string, number])[],
  [first = '', last = '', ...options]: readonly string[],
): Reply {
  const [firstIndex, lastIndex] = [integer(first), integer(last)];
  const entries = entriesOf();
  const place = (index: number): number => (index < 0 ? entries.length + index : index);
  const from = Math.max(0, place(firstIndex));
  return listed(entries.slice(from, Math.max(from, place(lastIndex) + 1)), options);
}

function between(low: string, high: string): (entry: readonly [string, number]) => boolean {
  const [from, isFromOut] = bound(low);
  const [to, isToOut] = bound(high);
  return ([, score]) =>
    (isFromOut ? score > from : score >= from) && (isToOut ? score < to : score <= to);
}

function bound(text: string): [bound: number, isOut: boolean] {
  const isOut = text.startsWith('(');
  const digits = isOut ? text.slice(1) : text;
  if (digits === '-inf') return [Number.NEGATIVE_INFINITY, isOut];
  if (digits === '+inf') return [Number.POSITIVE_INFINITY, isOut];
  if (!isInteger(digits)) throw new RedisError('ERR min or max is not a float');
  return [safe(Number(digits)), isOut];
}

function listed(
  entries: readonly (readonly [string, number])[],
  options: readonly string[],
): Reply {
  const [first = '', ...rest] = options;
  switch (first.toUpperCase()) {
    case '':
      return entries.map(([member]) => member);
    case 'WITHSCORES':
      if (rest.length > 0) throw new Error(`WITHSCORES ${rest.join(' ')}`);
      return entries.flatMap(([member, score]) => [member, String(score)]);
    case 'LIMIT': {
      const [offset = '', size = '', ...others] = rest;
      const from = integer(offset);
      const to = integer(size) < 0 ? entries.length : from + integer(size);
      return listed(entries.slice(from, to), others);
    }
    default:
      throw new Error(`a range with ${options.join(' ')}`);
  }
}
