/**
 * The keys of a simulated Redis server, and what it takes to put them back as they were.
 *
 * Each script is one step: what it changes is noted as it was before, key by key, so that the last
 * steps can be undone. That is what a failover to a replica does that had not heard of them yet.
 */

import { RedisError } from './lua.ts';

export type Value =
  | { readonly kind: 'string'; text: string }
  | { readonly kind: 'hash'; readonly fields: Map<string, string> }
  | { readonly kind: 'set'; readonly members: Set<string> }
  | { readonly kind: 'zset'; readonly scores: Map<string, number> };

export type Kind = Value['kind'];

interface Entry {
  readonly value: Value;
  /** By the server's clock; Infinity for a key that stays. */
  expiresAtMs: number;
}

/** Keys as they were before a step; `undefined` for those that were not there. */
type Undo = ReadonlyMap<string, Entry | undefined>;

const stepsKept = 256;

export class Keyspace {
  readonly #entries = new Map<string, Entry>();
  #undo = new Map<string, Entry | undefined>();
  /** Of the last steps that changed anything, the latest last. */
  #steps: Undo[] = [];
  /** How many steps have changed anything, those undone among them. */
  stepCount = 0;
  /** By the server's clock; a script sees no time pass. */
  nowMs = 0;

  get keys(): string[] {
    return [...this.#entries.keys()].filter((key) => this.#find(key) !== undefined).sort();
  }

  kindOf(key: string): Kind | undefined {
    return this.#find(key)?.value.kind;
  }

  /** To be looked at; WRONGTYPE if it is there, and something else. */
  read<K extends Kind>(key: string, kind: K): Extract<Value, { kind: K }> | undefined {
    const entry = this.#find(key);
    if (entry === undefined) return undefined;
    if (entry.value.kind !== kind) {
      throw new RedisError(
        'WRONGTYPE Operation against a key holding the wrong kind of value',
      );
    }
    return entry.value as Extract<Value, { kind: K }>;
  }

  /** To be changed; it comes into being. Afterwards {@link tidy} must be called. */
  write<K extends Kind>(key: string, kind: K): Extract<Value, { kind: K }> {
    const found = this.read(key, kind);
    this.#note(key);
    if (found !== undefined) return found;
    const value = emptyOf(kind);
    this.#entries.set(key, { value, expiresAtMs: Number.POSITIVE_INFINITY });
    return value as Extract<Value, { kind: K }>;
  }

  /** A key that holds nothing is no key. */
  tidy(key: string): void {
    const value = this.#entries.get(key)?.value;
    if (value !== undefined && isEmpty(value)) this.#entries.delete(key);
  }

  delete(key: string): boolean {
    if (this.#find(key) === undefined) return false;
    this.#note(key);
    return this.#entries.delete(key);
  }

  /** When the key goes by itself; Infinity if it stays, `undefined` if it is not there. */
  expiryOf(key: string): number | undefined {
    return this.#find(key)?.expiresAtMs;
  }

  setExpiry(key: string, expiresAtMs: number): boolean {
    if (this.#find(key) === undefined) return false;
    this.#note(key);
    (this.#entries.get(key) as Entry).expiresAtMs = expiresAtMs;
    return true;
  }

  /** The step is over: from now on it can be undone as one. Says whether it changed anything. */
  commit(): boolean {
    if (this.#undo.size === 0) return false;
    this.#steps.push(this.#undo);
    if (this.#steps.length > stepsKept) this.#steps.shift();
    this.#undo = new Map();
    this.stepCount++;
    return true;
  }

  /** Takes the last steps back, as many as are known; says how many those are. */
  rollBack(stepCount: number): number {
    let undone = 0;
    for (; undone < stepCount; undone++) {
      const undo = this.#steps.pop();
      if (undo === undefined) break;
      for (const [key, entry] of undo) {
        if (entry === undefined) this.#entries.delete(key);
        else this.#entries.set(key, entry);
      }
    }
    return undone;
  }

  clear(): void {
    for (const key of this.#entries.keys()) this.#note(key);
    this.#entries.clear();
  }

  /** All that there is, in an order of its own, to be compared. */
  dump(): Record<string, unknown> {
    return Object.fromEntries(this.keys.map((key) => [key, plain(this.#entries.get(key)?.value)]));
  }

  #find(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.expiresAtMs > this.nowMs) return entry;
    this.#note(key);
    this.#entries.delete(key);
    return undefined;
  }

  #note(key: string): void {
    if (this.#undo.has(key)) return;
    const entry = this.#entries.get(key);
    this.#undo.set(key, entry && { ...entry, value: copyOf(entry.value) });
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
