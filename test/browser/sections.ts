/**
 * Sections that exclude each other, watched from outside of kds: who is inside of a resource is
 * counted in shared words, and what should not be is written down.
 */

import type { SyncGrant } from '../../src/index.ts';

const resourceNames = ['a', 'b', 'c'] as const;
const partiesStart = 2 * resourceNames.length;
const partyCountMax = 8;

export interface SectionsMemory {
  /** Of each resource: who writes (party + 1), how many read; then how often each party was in. */
  readonly buffer: SharedArrayBuffer;
}

export interface Wanted {
  readonly exclusive: readonly string[];
  readonly shared: readonly string[];
}

export class Sections {
  readonly violations: string[] = [];
  readonly memory: SectionsMemory;
  readonly #party: number;
  readonly #inside: Int32Array;

  static createMemory(): SectionsMemory {
    return { buffer: new SharedArrayBuffer(4 * (partiesStart + partyCountMax)) };
  }

  constructor(memory: SectionsMemory, party: number) {
    this.memory = memory;
    this.#party = party;
    this.#inside = new Int32Array(memory.buffer);
  }

  /** A few resources, by chance, at least one of them exclusive in every other case. */
  static choose(): Wanted {
    const exclusive: string[] = [];
    const shared: string[] = [];
    for (const name of resourceNames) {
      const chance = Math.random();
      if (chance < 0.4) exclusive.push(name);
      else if (chance < 0.7) shared.push(name);
    }
    return { exclusive, shared };
  }

  /** Goes in and comes out; releases the grant. */
  visit(grant: SyncGrant, { exclusive, shared }: Wanted): void {
    for (const name of exclusive) this.#enter(name, true);
    for (const name of shared) this.#enter(name, false);
    for (let turn = 0; turn < 3000; turn++) Atomics.load(this.#inside, 0);
    for (const name of shared) this.#leave(name, false);
    for (const name of exclusive) this.#leave(name, true);
    grant.release();
    Atomics.add(this.#inside, partiesStart + this.#party, 1);
  }

  /** How often this one's party was in. */
  get count(): number {
    return this.countOf(this.#party);
  }

  /** How often a party was in. */
  countOf(party: number): number {
    return Atomics.load(this.#inside, partiesStart + party);
  }

  #enter(name: string, isWriter: boolean): void {
    const at = wordsOf(name);
    const writer = Atomics.load(this.#inside, at);
    const readerCount = Atomics.load(this.#inside, at + 1);
    if (writer !== 0) this.#complain(`${name}: party ${writer - 1} writes`);
    if (isWriter && readerCount !== 0) this.#complain(`${name}: ${readerCount} read`);
    if (isWriter) Atomics.store(this.#inside, at, this.#party + 1);
    else Atomics.add(this.#inside, at + 1, 1);
  }

  #leave(name: string, isWriter: boolean): void {
    const at = wordsOf(name);
    const expected = isWriter ? this.#party + 1 : 0;
    const writer = Atomics.load(this.#inside, at);
    if (writer !== expected) this.#complain(`${name}: party ${writer - 1} wrote meanwhile`);
    if (isWriter) Atomics.store(this.#inside, at, 0);
    else Atomics.sub(this.#inside, at + 1, 1);
  }

  #complain(what: string): void {
    this.violations.push(`${what} while party ${this.#party} is inside`);
  }
}

function wordsOf(name: string): number {
  return 2 * resourceNames.indexOf(name as (typeof resourceNames)[number]);
}
