/**
 * Observes a small simulated domain, and compares it with the rule.
 *
 * The log is applied twice more: by the oracle, and by one shard that has all resources. Then:
 *
 * - each part is triggered at a position of the log, on first application and on any other;
 * - the last of a set's parts is triggered exactly where the oracle grants it, or never, if the
 *   oracle never does;
 * - after each epoch each shard is in the state of its part of the one that has everything;
 * - who died while it held leaves marks;
 * - nobody had a set while somebody had another one that conflicts.
 */

import { expect } from 'vitest';
import { Oracle, type OracleSet } from '../../conformance/oracle.ts';
import type { Section } from '../../sim/scale/clients.ts';
import { CANCEL, EXPIRE, REQUEST } from '../../sim/scale/log.ts';
import type { ScaleOptions } from '../../sim/scale/options.ts';
import type { Monitor } from '../../sim/scale/sequenced.ts';
import { Shard } from '../../sim/scale/shard.ts';
import { findFaults } from '../../src/core/index.ts';

export class ScaleMonitor implements Monitor {
  readonly sections: Section[] = [];
  /** By kind of entry; and sets that ended while they waited. */
  readonly entryCounts = [0, 0, 0, 0];
  cancelledCount = 0;
  reappliedCount = 0;
  /** Epochs after which a shard was not in the state of its part of the whole. */
  readonly differing: string[] = [];
  readonly #options: ScaleOptions;
  readonly #oracle = new Oracle<string>();
  readonly #live = new Map<string, OracleSet<string>>();
  readonly #all: Shard;
  /** By set: the kind of the entry that ends it. */
  readonly #endKinds = new Map<string, number>();
  /** By set: its place in the order, and its shards. */
  readonly #requests = new Map<string, { position: number; shards: ReadonlySet<number> }>();
  /** By set: the position at which the oracle grants it. */
  readonly #grantedAt = new Map<string, number>();
  /** By set and shard: the position at which its part was triggered. */
  readonly #triggeredAt = new Map<string, Map<number, number>>();
  /** By epoch and shard. */
  readonly #digests: string[][] = [];

  constructor(options: ScaleOptions) {
    this.#options = options;
    const { clientCount, workload } = options;
    const size = { shardCount: 1, clientCount, resourceCount: workload.resourceCount };
    this.#all = new Shard(0, size, () => {});
  }

  readonly onSection = (section: Section): void => void this.sections.push(section);

  entry(
    position: number,
    kind: number,
    client: number,
    number: number,
    wishes: readonly number[],
  ): void {
    this.entryCounts[kind] = (this.entryCounts[kind] ?? 0) + 1;
    this.#all.apply(Int32Array.of(kind, client, number, wishes.length, ...wishes), 0);
    const key = `${client}.${number}`;
    if (kind === REQUEST) {
      const shards = wishes.map((wish) => (wish >> 1) % this.#options.shardCount);
      this.#requests.set(key, { position, shards: new Set(shards) });
      const arrival = this.#oracle.arrive({
        exclusive: namesOf(wishes, 1),
        shared: namesOf(wishes, 0),
      });
      if (!('set' in arrival)) throw new Error('nothing here is locked, or has units');
      arrival.set.tag = key;
      this.#live.set(key, arrival.set);
      if (arrival.outcome === 'granted') this.#grantedAt.set(key, position);
      return;
    }
    const set = this.#live.get(key);
    if (set === undefined) throw new Error(`${key} ends and is not there`);
    if (!set.granted) this.cancelledCount++;
    this.#endKinds.set(key, kind);
    const isOfGrant = kind !== CANCEL;
    if (isOfGrant && !set.granted && !this.#options.endsAhead) {
      this.differing.push(`${key} ends as if it were granted`);
    }
    // Of a set that nobody was told of, nobody has been the owner.
    set.granted = isOfGrant;
    this.#live.delete(key);
    for (const next of this.#oracle.remove(set, kind === EXPIRE)) {
      this.#grantedAt.set(next.tag ?? '', position);
    }
  }

  whole(epoch: number): void {
    const { shardCount } = this.#options;
    const digests = Array.from({ length: shardCount }, (_, shard) =>
      this.#all.digest((resource) => resource % shardCount === shard),
    );
    this.#digests[epoch] = digests;
    if (this.#options.endsAhead) return;
    const marked = this.#all.marked.map(String).sort();
    expect(marked, `marks after epoch ${epoch}`).toEqual([...this.#oracle.recovered].sort());
  }

  triggered(shard: number, position: number, client: number, number: number): void {
    const key = `${client}.${number}`;
    const positions = this.#triggeredAt.get(key) ?? new Map<number, number>();
    this.#triggeredAt.set(key, positions);
    const before = positions.get(shard);
    positions.set(shard, position);
    if (before !== undefined && before !== position) {
      this.differing.push(`${key} at shard ${shard}: triggered at ${before}, then ${position}`);
    }
  }

  applied(shard: number, epoch: number, digest: () => string, again: boolean): void {
    if (again) this.reappliedCount++;
    if (digest() !== this.#digests[epoch]?.[shard]) {
      this.differing.push(`shard ${shard} after epoch ${epoch}${again ? ', applied again' : ''}`);
    }
  }

  /** What shards did is what the rule says: all that is promised of the log. */
  expectTheRule(shards: readonly (Shard | undefined)[]): void {
    expect(this.differing).toEqual([]);
    for (const [key, { shards: own }] of this.#requests) {
      const positions = this.#triggeredAt.get(key) ?? new Map<number, number>();
      const isGranted = [...own].every((shard) => positions.has(shard));
      const grantedAt = isGranted ? Math.max(...positions.values()) : undefined;
      expect(grantedAt, `where set ${key} is granted`).toBe(this.#grantedAt.get(key));
    }
    for (const shard of shards) {
      expect(shard === undefined ? ['it is down'] : findFaults(shard.memory)).toEqual([]);
    }
  }

  /**
   * Who died while it held leaves marks. Nobody else does, but whose release was lost with a
   * gateway, and who died before it was said again: then nobody can know that it was released.
   */
  expectMarksOfTheDead(): void {
    const mayBeLost = this.#options.faults.gatewayCrashMs < Number.POSITIVE_INFINITY;
    for (const { client, number, died } of this.sections) {
      const isMarked = this.#endKinds.get(`${client}.${number}`) === EXPIRE;
      if (isMarked && mayBeLost) continue;
      expect(isMarked, `the mark of ${client}.${number}`).toBe(died);
    }
  }

  /** When all is over, each shard is as if it had applied the log and nothing else. */
  expectTheSameInTheEnd(shards: readonly (Shard | undefined)[]): void {
    expect(shards.map((shard) => shard?.digest())).toEqual(this.#digests.at(-1));
  }

  /** Who conflicts and is earlier in the log has had its turn earlier. */
  expectTheOrderOfTheLog(): void {
    const place = (section: Section): number =>
      this.#requests.get(`${section.client}.${section.number}`)?.position ?? Number.NaN;
    const inOrder = [...this.sections].sort((a, b) => place(a) - place(b));
    expect(overtakings(inOrder)).toEqual([]);
  }
}

/** Pairs of sections that conflict and were there at the same time, as text. */
export function collisions(sections: readonly Section[]): readonly string[] {
  const inOrder = [...sections].sort((a, b) => a.fromMs - b.fromMs);
  const found: string[] = [];
  for (const [index, one] of inOrder.entries()) {
    for (let next = index + 1; next < inOrder.length; next++) {
      const other = inOrder[next] as Section;
      if (other.fromMs >= one.untilMs) break;
      if (conflict(one, other)) found.push(`${describeSection(one)} and ${describeSection(other)}`);
    }
  }
  return found;
}

/**
 * Of sections in the order in which they should be: who had its turn before one it conflicts with.
 */
export function overtakings(
  inOrder: readonly Section[],
  isEarlier: (earlier: Section, later: Section) => boolean = () => true,
): readonly string[] {
  const found: string[] = [];
  for (const [index, earlier] of inOrder.entries()) {
    for (const later of inOrder.slice(index + 1)) {
      if (later.fromMs >= earlier.fromMs || !isEarlier(earlier, later)) continue;
      if (conflict(earlier, later))
        found.push(`${describeSection(later)} before ${describeSection(earlier)}`);
    }
  }
  return found;
}

function conflict(one: Section, other: Section): boolean {
  return one.wishes.some((wish) =>
    other.wishes.some((wanted) => wish >> 1 === wanted >> 1 && ((wish | wanted) & 1) === 1),
  );
}

function describeSection({ client, number, wishes, fromMs, untilMs }: Section): string {
  return `${client}.${number} [${wishes}] from ${fromMs} to ${untilMs}`;
}

function namesOf(wishes: readonly number[], mode: number): readonly string[] {
  return wishes.filter((wish) => (wish & 1) === mode).map((wish) => String(wish >> 1));
}
