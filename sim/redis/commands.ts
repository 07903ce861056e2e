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
  /** Says how many have been sent it. */
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
    run: ({ keyspace }, keys) => count(keys, (key) => keyspace.kindOf(key) !== undefined),
  },
  TYPE: {
    arity: 2,
    run: ({ keyspace }, [key]) => new Status(keyspace.kindOf(key as string) ?? 'none'),
  },
  PEXPIRE: {
    arity: 3,
    run: ({ keyspace }, [key, ms]) => expire(keyspace, key as string, integer(ms as string)),
  },
  PERSIST: {
    arity: 2,
    run: ({ keyspace }, [key]) => {
      const expiresAtMs = keyspace.expiryOf(key as string);
      if (expiresAtMs === undefined || expiresAtMs === Number.POSITIVE_INFINITY) return 0;
      return Number(keyspace.setExpiry(key as string, Number.POSITIVE_INFINITY));
    },
  },
  TIME: {
    arity: 1,
    run: ({ nowUs }) => [String(Math.floor(nowUs / 1e6)), String(nowUs % 1e6)],
  },
  PUBLISH: {
    arity: 3,
    run: ({ publish }, [channel, message]) => publish(channel as string, message as string),
  },

  // Strings
  GET: { arity: 2, run: ({ keyspace }, [key]) => textOf(keyspace, key as string) ?? null },
  SET: { arity: -3, run: set },
  INCR: {
    arity: 2,
    run: ({ keyspace }, [key]) => {
      const next = integer(textOf(keyspace, key as string) ?? '0') + 1;
      keyspace.write(key as string, 'string').text = String(safe(next));
      return next;
    },
  },

  // Hashes
  HGET: {
    arity: 3,
    run: ({ keyspace }, [key, field]) => fieldsOf(keyspace, key).get(field as string) ?? null,
  },
  HMGET: {
    arity: -3,
    run: ({ keyspace }, [key, ...names]) => {
      const fields = fieldsOf(keyspace, key);
      return names.map((name) => fields.get(name) ?? null);
    },
  },
  HGETALL: {
    arity: 2,
    run: ({ keyspace }, [key]) => [...fieldsOf(keyspace, key)].sort(byFirst).flat(),
  },
  HKEYS: { arity: 2, run: ({ keyspace }, [key]) => [...fieldsOf(keyspace, key).keys()].sort() },
  HLEN: { arity: 2, run: ({ keyspace }, [key]) => fieldsOf(keyspace, key).size },
  HEXISTS: {
    arity: 3,
    run: ({ keyspace }, [key, field]) => Number(fieldsOf(keyspace, key).has(field as string)),
  },
  HSET: {
    arity: -4,
    run: ({ keyspace }, [key, ...pairs]) => {
      mustBePairs(pairs);
      const { fields } = keyspace.write(key as string, 'hash');
      const sizeBefore = fields.size;
      for (let at = 0; at < pairs.length; at += 2) {
        fields.set(pairs[at] as string, pairs[at + 1] as string);
      }
      return fields.size - sizeBefore;
    },
  },
  HSETNX: {
    arity: 4,
    run: ({ keyspace }, [key, field, text]) => {
      if (fieldsOf(keyspace, key).has(field as string)) return 0;
      keyspace.write(key as string, 'hash').fields.set(field as string, text as string);
      return 1;
    },
  },
  HINCRBY: {
    arity: 4,
    run: ({ keyspace }, [key, field, by]) => {
      const before = integer(fieldsOf(keyspace, key).get(field as string) ?? '0');
      const next = safe(before + integer(by as string));
      keyspace.write(key as string, 'hash').fields.set(field as string, String(next));
      return next;
    },
  },
  HDEL: {
    arity: -3,
    run: ({ keyspace }, [key, ...names]) => {
      const found = fieldsOf(keyspace, key);
      return remove(keyspace, key as string, 'hash', names.filter((name) => found.has(name)));
    },
  },

  // Sets
  SADD: {
    arity: -3,
    run: ({ keyspace }, [key, ...names]) => {
      const { members } = keyspace.write(key as string, 'set');
      const sizeBefore = members.size;
      for (const name of names) members.add(name);
      return members.size - sizeBefore;
    },
  },
  SREM: {
    arity: -3,
    run: ({ keyspace }, [key, ...names]) => {
      const found = membersOf(keyspace, key);
      return remove(keyspace, key as string, 'set', names.filter((name) => found.has(name)));
    },
  },
  SCARD: { arity: 2, run: ({ keyspace }, [key]) => membersOf(keyspace, key).size },
  SISMEMBER: {
    arity: 3,
    run: ({ keyspace }, [key, name]) => Number(membersOf(keyspace, key).has(name as string)),
  },
  SMEMBERS: { arity: 2, run: ({ keyspace }, [key]) => [...membersOf(keyspace, key)].sort() },

  // Sorted sets
  ZADD: {
    arity: -4,
    run: ({ keyspace }, [key, ...pairs]) => {
      mustBePairs(pairs);
      for (let at = 0; at < pairs.length; at += 2) integer(pairs[at] as string);
      const { scores } = keyspace.write(key as string, 'zset');
      const sizeBefore = scores.size;
      for (let at = 0; at < pairs.length; at += 2) {
        scores.set(pairs[at + 1] as string, integer(pairs[at] as string));
      }
      return scores.size - sizeBefore;
    },
  },
  ZREM: {
    arity: -3,
    run: ({ keyspace }, [key, ...names]) => {
      const found = scoresOf(keyspace, key);
      return remove(keyspace, key as string, 'zset', names.filter((name) => found.has(name)));
    },
  },
  ZCARD: { arity: 2, run: ({ keyspace }, [key]) => scoresOf(keyspace, key).size },
  ZSCORE: {
    arity: 3,
    run: ({ keyspace }, [key, name]) => {
      const score = scoresOf(keyspace, key).get(name as string);
      return score === undefined ? null : String(score);
    },
  },
  ZRANK: {
    arity: 3,
    run: ({ keyspace }, [key, name]) => {
      const rank = inOrder(scoresOf(keyspace, key)).findIndex(([member]) => member === name);
      return rank < 0 ? null : rank;
    },
  },
  ZCOUNT: {
    arity: 4,
    run: ({ keyspace }, [key, low, high]) =>
      inOrder(scoresOf(keyspace, key)).filter(between(low as string, high as string)).length,
  },
  ZRANGE: {
    arity: -4,
    run: ({ keyspace }, [key, first, last, ...options]) => {
      const all = inOrder(scoresOf(keyspace, key));
      const from = place(first as string, all.length);
      return listed(all.slice(Math.max(0, from), place(last as string, all.length) + 1), options);
    },
  },
  ZRANGEBYSCORE: {
    arity: -4,
    run: ({ keyspace }, [key, low, high, ...options]) => {
      const all = inOrder(scoresOf(keyspace, key));
      return listed(all.filter(between(low as string, high as string)), options);
    },
  },
};

/** Runs a command of a script or a client. Throws {@link RedisError}, or fails the simulation. */
export function runCommand(server: Surroundings, words: readonly string[]): Reply {
  const [name = '', ...args] = words;
  const command = commands[name.toUpperCase()];
  if (command === undefined) throw new Error(`the simulated server has no command ${name}`);
  const { arity } = command;
  if (arity < 0 ? words.length < -arity : words.length !== arity) {
    throw new Error(`${name} with ${words.length - 1} arguments: ${words.join(' ')}`);
  }
  return command.run(server, args);
}

function set({ keyspace }: Surroundings, [key, text, ...options]: readonly string[]): Reply {
  const [option, amount] = options.map((word) => word.toUpperCase());
  if (options.length > 0 && (option !== 'PX' || options.length > 2)) {
    throw new Error(`SET with ${options.join(' ')}`);
  }
  keyspace.delete(key as string);
  keyspace.write(key as string, 'string').text = text as string;
  if (amount !== undefined) expire(keyspace, key as string, integer(amount));
  return ok;
}

function expire(keyspace: Keyspace, key: string, ms: number): number {
  if (ms <= 0) throw new Error(`a key that expires ${ms} ms from now`);
  return Number(keyspace.setExpiry(key, keyspace.nowMs + ms));
}

function count(keys: readonly string[], isCounted: (key: string) => boolean): number {
  let total = 0;
  for (const key of keys) if (isCounted(key)) total++;
  return total;
}

function remove(
  keyspace: Keyspace,
  key: string,
  kind: 'hash' | 'set' | 'zset',
  names: readonly string[],
): number {
  if (names.length === 0) return 0;
  const value = keyspace.write(key, kind);
  const from =
    value.kind === 'hash' ? value.fields : value.kind === 'set' ? value.members : value.scores;
  const removed = count(names, (name) => from.delete(name));
  keyspace.tidy(key);
  return removed;
}

function textOf(keyspace: Keyspace, key: string): string | undefined {
  return keyspace.read(key, 'string')?.text;
}

function fieldsOf(keyspace: Keyspace, key: string | undefined): ReadonlyMap<string, string> {
  return keyspace.read(key as string, 'hash')?.fields ?? new Map();
}

function membersOf(keyspace: Keyspace, key: string | undefined): ReadonlySet<string> {
  return keyspace.read(key as string, 'set')?.members ?? new Set();
}

function scoresOf(keyspace: Keyspace, key: string | undefined): ReadonlyMap<string, number> {
  return keyspace.read(key as string, 'zset')?.scores ?? new Map();
}

function mustBePairs(words: readonly string[]): void {
  if (words.length % 2 !== 0) throw new Error(`pairs, of which one is half: ${words.join(' ')}`);
}

/** Numbers are kept to what is safe everywhere: a score is a double, a field 64 bits. */
function integer(text: string): number {
  if (!/^(0|-?[1-9]\d{0,15})$/.test(text)) {
    throw new RedisError('ERR value is not an integer or out of range');
  }
  return safe(Number(text));
}

function safe(value: number): number {
  if (!Number.isSafeInteger(value)) throw new Error(`${value} is beyond 2^53`);
  return value;
}

/** Of an index that counts from the end if it is negative. */
function place(text: string, length: number): number {
  const index = integer(text);
  return index < 0 ? length + index : index;
}

function between(low: string, high: string): (entry: readonly [string, number]) => boolean {
  const [from, isFromOut] = bound(low);
  const [to, isToOut] = bound(high);
  return ([, score]) =>
    (isFromOut ? score > from : score >= from) && (isToOut ? score < to : score <= to);
}

function bound(text: string): [bound: number, isOut: boolean] {
  if (text === '-inf') return [Number.NEGATIVE_INFINITY, false];
  if (text === '+inf') return [Number.POSITIVE_INFINITY, false];
  return text.startsWith('(') ? [integer(text.slice(1)), true] : [integer(text), false];
}

function listed(entries: readonly [string, number][], options: readonly string[]): Reply {
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

function byFirst([one]: readonly string[], [other]: readonly string[]): number {
  return (one as string) < (other as string) ? -1 : 1;
}
