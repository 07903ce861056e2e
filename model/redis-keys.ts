/** Whether the keys of a domain in Redis are those of its live sets: see src/backends/redis/lua. */

import { inOrder, type Keyspace } from '../sim/redis/keyspace.ts';

/** A set that the server knows of. */
export interface LiveSet {
  readonly number: number;
  readonly session: string;
  readonly request: number;
  /** What its keys are named for. */
  readonly id: string;
  readonly parts: ReadonlyMap<string, 'x' | 's'>;
  readonly isObserver: boolean;
  /** Undefined: it waits. Of an observer that has settled: 0. */
  readonly token: number | undefined;
  readonly recovered: readonly string[];
}

/** Throws where they differ; returns the resources that carry the recovered flag. */
export function checkKeys(
  keyspace: Keyspace,
  root: string,
  live: readonly LiveSet[],
): readonly string[] {
  const sets = live.filter(({ isObserver }) => !isObserver);
  const names = new Set(sets.flatMap(({ parts }) => [...parts.keys()]));
  const waiting = new Map<string, ReadonlySet<string>>();
  let keyCount = 0;
  for (const name of names) {
    const links = sets.flatMap(({ id, parts }) => (parts.has(name) ? [parts.get(name) + id] : []));
    const triggered = membersOf(keyspace, `${root}t:${name}`);
    const behind = membersOf(keyspace, `${root}w:${name}`);
    same(`queue of ${name}`, [...triggered, ...behind], links);
    same(`triggered of ${name}`, triggered.length, countTriggered(links));
    waiting.set(name, new Set(behind));
    keyCount += (triggered.length > 0 ? 1 : 0) + (behind.length > 0 ? 1 : 0);
  }
  for (const set of live) {
    const fields = keyspace.read(`${root}q:${set.id}`, 'hash')?.fields ?? new Map<string, string>();
    const links = [...set.parts].map(([name, take]) => `${take}${name}\n`);
    const found = fields.get('links');
    // Most often in the same order.
    if (found !== links.join('')) {
      const lines = links.map((link) => link.trim());
      same(`links of ${set.number}`, found?.split('\n').sort(), [...lines, ''].sort());
    }
    const token = fields.get('token');
    same(`token of ${set.number}`, token, set.token?.toString());
    const pending = set.isObserver
      ? links.filter((link) => isObserved(keyspace, root, link, set.id)).length
      : [...set.parts].filter(([name, take]) => waiting.get(name)?.has(take + set.id)).length;
    same(`pending of ${set.number}`, Number(fields.get('pending')), pending);
    same(`whether ${set.number} waits`, token === undefined, pending > 0);
  }
  const byKind = new Map<string, string[]>();
  for (const key of keyspace.keysFrom(root)) {
    const kind = key.slice(root.length, root.length + 2);
    const keys = byKind.get(kind);
    if (keys === undefined) byKind.set(kind, [key]);
    else keys.push(key);
  }
  const keysOf = (kind: string): readonly string[] => byKind.get(kind) ?? [];
  same('number of queues', keysOf('t:').length + keysOf('w:').length, keyCount);
  same('sets', keysOf('q:').length, live.length);
  const observers = live.filter(({ isObserver, token }) => isObserver && token === undefined);
  const observing = keyspace.read(`${root}observers`, 'set')?.members ?? new Set<string>();
  same('observers', [...observing].sort(), observers.map(({ id }) => id).sort());
  same('queues that are due', keyspace.has(`${root}due`), false);
  for (const key of keysOf('k:')) {
    const isHeld = sets.some(({ id, token }) => key === `${root}k:${id}` && token !== undefined);
    const keepers = [...(keyspace.read(key, 'set')?.members ?? [])];
    const areWaiting = keepers.every((keeper) =>
      sets.some(({ id, token }) => id === keeper && token === undefined),
    );
    if (!isHeld || !areWaiting) throw new Error(`${key} is kept for ${keepers}`);
  }
  return flagsOf(keyspace.read(`${root}recovered`, 'set')?.members ?? new Set(), sets);
}

/** A name stands there while it is held exclusively, and after that if its holder died. */
function flagsOf(members: ReadonlySet<string>, sets: readonly LiveSet[]): readonly string[] {
  const flagged = new Set(members);
  for (const { parts, token, recovered } of sets) {
    if (token === undefined) continue;
    for (const [name, take] of parts) {
      if (take !== 'x') continue;
      if (!members.has(name)) throw new Error(`${name} is held, and nothing would be recovered`);
      if (!recovered.includes(name)) flagged.delete(name);
    }
  }
  return [...flagged];
}

function isObserved(keyspace: Keyspace, root: string, link: string, id: string): boolean {
  const key = `${root}o${link[0]}:${link.slice(1, -1)}`;
  return keyspace.read(key, 'zset')?.scores.has(id) ?? false;
}

/** The rule: one exclusive link, or all shared ones before the first that is not. */
function countTriggered(links: readonly string[]): number {
  const sharedCount = links.findIndex((link) => link.startsWith('x'));
  return sharedCount < 0 ? links.length : Math.max(1, sharedCount);
}

function membersOf(keyspace: Keyspace, key: string): readonly string[] {
  const scores = keyspace.read(key, 'zset')?.scores;
  if (scores === undefined) return [];
  return scores.size === 1 ? [...scores.keys()] : inOrder(scores).map(([name]) => name);
}

function same(what: string, found: unknown, expected: unknown): void {
  if (found === expected) return;
  if (Array.isArray(found) && Array.isArray(expected) && found.join() === expected.join()) return;
  throw new Error(`${what}: the keys have ${found}, expected ${expected}`);
}
