/**
 * The keys of a simulated Redis server, and what it takes to put them back as they were.
 *
 * Each script is one step: what it changes is noted as it was before, key by key, so that the last
 * steps can be undone. That is what a failover to a replica does that had not received them yet.
 */

import { RedisError } from './lua.ts';

export type Value =
  | { readonly kind: 'string'; text: string }
  | { readonly kind: 'hash'; readonly fields: Map<string, string> }
  | { readonly kind: 'set'; readonly members: Set<string> }
  | { readonly kind: 'zset'; readonly scores: Map<string, number> };

export type Kind = Value['kind'];

/** Keys as they were before a step; `undefined` for those that were not there. */
type Undo = ReadonlyMap<string, Kept | undefined>;

/** A key that is there; `endsAtMs` is its time to live, if it has one. */
interface Kept {
  readonly value: Value;
  readonly endsAtMs: number | undefined;
}

const stepsKept = 256;

export class Keyspace {
  readonly #values = new Map<string, Value>();
  /** By key: when it expires, in ms since 1970. */
  readonly #ends = new Map<string, number>();
  #undo = new Map<string, Kept | undefined>();
  /** Of the last steps that changed anything, the latest last. */
  readonly #steps: Undo[] = [];
  /** A key's time to live has ended; called before it is removed. */
  onExpired: (key: string) => void = () => undefined;

  get keys(): readonly string[] {
    return [...this.#values.keys()].sort();
  }

  /** In no order. */
  keysFrom(prefix: string): readonly string[] {
    return [...this.#values.keys()].filter((key) => key.startsWith(prefix));
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  /** To be looked at; WRONGTYPE if it is there, and something else. */
  read<K extends Kind>(key: string, kind: K): Extract<Value, { kind: K }> | undefined {
    const value = this.#values.get(key);
    if (value === undefined || value.kind === kind) {
      return value as Extract<Value, { kind: K }> | undefined;
    }
    throw new RedisError('WRONGTYPE Operation against a key holding the wrong kind of value');
  }

  /** To be changed; it comes into being. What may leave it empty ends with {@link tidy}. */
  write<K extends Kind>(key: string, kind: K): Extract<Value, { kind: K }> {
    const found = this.read(key, kind);
    this.#note(key);
    if (found !== undefined) return found;
    const value = emptyOf(kind);
    this.#values.set(key, value);
    return value as Extract<Value, { kind: K }>;
  }

  /** A key that holds nothing is no key. */
  tidy(key: string): void {
    const value = this.#values.get(key);
    if (value !== undefined && isEmpty(value)) this.#forget(key);
  }

  /** Undefined: it lasts. */
  endsAtMs(key: string): number | undefined {
    return this.#ends.get(key);
  }

  /** False if it is not there. */
  expireAt(key: string, endsAtMs: number): boolean {
    if (!this.#values.has(key)) return false;
    this.#note(key);
    this.#ends.set(key, endsAtMs);
    return true;
  }

  /** Removes what has expired by then, as a step of its own. */
  expire(nowMs: number): void {
    for (const [key, endsAtMs] of [...this.#ends]) {
      if (endsAtMs > nowMs) continue;
      this.onExpired(key);
      this.delete(key);
    }
    this.commit();
  }

  delete(key: string): boolean {
    if (!this.#values.has(key)) return false;
    this.#note(key);
    return this.#forget(key);
  }

  /** The step is over: from now on it can be undone as one. */
  commit(): void {
    if (this.#undo.size === 0) return;
    this.#steps.push(this.#undo);
    if (this.#steps.length > stepsKept) this.#steps.shift();
    this.#undo = new Map();
  }

  /** Takes the last steps back, as many as are known; returns how many those are. */
  rollBack(stepCount: number): number {
    let undone = 0;
    for (; undone < stepCount; undone++) {
      const undo = this.#steps.pop();
      if (undo === undefined) break;
      for (const [key, kept] of undo) {
        this.#forget(key);
        if (kept === undefined) continue;
        this.#values.set(key, kept.value);
        if (kept.endsAtMs !== undefined) this.#ends.set(key, kept.endsAtMs);
      }
    }
    return undone;
  }

  /** Everything is gone, and cannot be had back. */
  clear(): void {
    this.#values.clear();
    this.#ends.clear();
    this.#steps.length = 0;
  }

  /** All that there is, in an order of its own, to be compared. */
  dump(): Readonly<Record<string, unknown>> {
    return Object.fromEntries(this.keys.map((key) => [key, plain(this.#values.get(key))]));
  }

  #note(key: string): void {
    if (this.#undo.has(key)) return;
    const value = this.#values.get(key);
    const kept = value && { value: copyOf(value), endsAtMs: this.#ends.get(key) };
    this.#undo.set(key, kept);
  }

  #forget(key: string): boolean {
    this.#ends.delete(key);
    return this.#values.delete(key);
  }
}

function emptyOf(kind: Kind): Value {
  if (kind === 'string') return { kind, text: '' };
  if (kind === 'hash') return { kind, fields: new Map() };
  if (kind === 'set') return { kind, members: new Set() };
  return { kind, scores: new Map() };
}

function isEmpty(value: Value): boolean {
  if (value.kind === 'string') return false;
  if (value.kind === 'hash') return value.fields.size === 0;
  if (value.kind === 'set') return value.members.size === 0;
  return value.scores.size === 0;
}

function copyOf(value: Value): Value {
  if (value.kind === 'string') return { ...value };
  if (value.kind === 'hash') return { kind: 'hash', fields: new Map(value.fields) };
  if (value.kind === 'set') return { kind: 'set', members: new Set(value.members) };
  return { kind: 'zset', scores: new Map(value.scores) };
}

function plain(value: Value | undefined): unknown {
  if (value === undefined || value.kind === 'string') return value?.text;
  if (value.kind === 'hash') return Object.fromEntries([...value.fields].sort());
  if (value.kind === 'set') return [...value.members].sort();
  return inOrder(value.scores).map(([member, score]) => [member, score]);
}

/** The members of a sorted set: by score, then by their bytes. */
export function inOrder(scores: ReadonlyMap<string, number>): [string, number][] {
  return [...scores].sort(([name, score], [otherName, otherScore]) => {
    if (score !== otherScore) return score - otherScore;
    return name < otherName ? -1 : name > otherName ? 1 : 0;
  });
}
