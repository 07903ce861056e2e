/** Three agents of an arena in one thread, each of which may die at any of its steps. */

import { expect } from 'vitest';
import { Oracle, type OracleSet, type OracleSpec } from '../../../conformance/oracle.ts';
import type { AcquireOptions } from '../../../src/api/options.ts';
import { declareDead, dropClaims, stateOf } from '../../../src/backends/threads/agents.ts';
import type { ThreadsBackend } from '../../../src/backends/threads/backend.ts';
import * as C from '../../../src/backends/threads/control.ts';
import type * as Threads from '../../../src/backends/threads/index.ts';
import type { Arena, ArenaOptions, ThreadsDomain } from '../../../src/backends/threads/index.ts';
import type { LocalSession } from '../../../src/local/session.ts';
import { findArenaFaults } from './soundness.ts';

export type Who = 'a' | 'b' | 'c';
type Grant = ReturnType<ThreadsDomain['acquireSync']>;

interface Ask {
  readonly label: string;
  readonly who: Who;
  readonly set: OracleSet;
  state: 'waiting' | 'granted' | 'refused';
  grant: Grant | undefined;
}

/** What is compiled in for tests. */
const counter = globalThis as { kdsStep?: (() => void) | undefined };

class Died extends Error {}

export class Scene {
  readonly arena: Arena;
  readonly domains: Readonly<Record<Who, ThreadsDomain>>;
  readonly #oracle = new Oracle();
  readonly #asks: Ask[] = [];

  constructor(threads: typeof Threads, options: ArenaOptions = {}) {
    this.arena = threads.createArena(options);
    const open = (label: Who) => threads.openThreadsDomain(this.arena, { label });
    // The one that dies has none: its sets have short operations.
    const a = threads.openThreadsDomain(this.arena);
    this.domains = { a, b: open('b'), c: open('c') };
  }

  backend(who: Who): ThreadsBackend {
    return (this.domains[who] as unknown as LocalSession).scope.backend.port as ThreadsBackend;
  }

  /** Asks, for an arena and for the rule. */
  ask(who: Who, label: string, spec: OracleSpec, options: AcquireOptions = {}): Ask {
    const arrival = this.#oracle.arrive(spec);
    if (!('set' in arrival)) throw new Error(`${label}: ${arrival.outcome}`);
    const ask: Ask = { label, who, set: arrival.set, state: 'waiting', grant: undefined };
    this.#asks.push(ask);
    this.domains[who].acquire(spec, { label, ...options }).then(
      (grant) => {
        ask.state = 'granted';
        ask.grant = grant;
      },
      () => {
        ask.state = 'refused';
      },
    );
    return ask;
  }

  /** Asks for what is free. */
  async take(who: Who, label: string, spec: OracleSpec): Promise<Grant> {
    const ask = this.ask(who, label, spec);
    await settle();
    if (ask.grant === undefined) throw new Error(`${label} is ${ask.state}`);
    return ask.grant;
  }

  /** Declares a capacity, for an arena and for the rule. */
  declare(who: Who, name: string, names: readonly string[]): void {
    this.domains[who].setCapacity(name, names);
    this.#oracle.setCapacity(name, names.length);
  }

  /** Releases what is held, so that it is news for others that they have not heard of. */
  release(label: string): void {
    const ask = this.#find(label);
    ask.grant?.release();
    this.#oracle.remove(ask.set);
    this.#asks.splice(this.#asks.indexOf(ask), 1);
  }

  /** How many steps an operation takes, which it does. */
  count(operation: () => void): number {
    let count = 0;
    counter.kdsStep = () => {
      count++;
    };
    operation();
    counter.kdsStep = undefined;
    return count;
  }

  /** Does an operation of `who`, who ends before its step `at`, and does nothing more, ever. */
  die(who: Who, at: number, operation: () => void): void {
    let left = at;
    counter.kdsStep = () => {
      if (left-- <= 0) throw new Died();
    };
    const { operations, owners } = this.backend(who);
    try {
      operation();
    } catch (error) {
      if (!(error instanceof Died)) throw error;
    } finally {
      counter.kdsStep = undefined;
    }
    // Its thread is gone: whatever still rings for it rings in vain.
    const silent = (): void => {};
    Object.assign(operations, { enter: silent, leave: silent });
    Object.assign(owners, { attach: silent });
    for (const ask of this.#asks.filter((each) => each.who === who)) {
      this.#oracle.remove(ask.set, true);
      this.#asks.splice(this.#asks.indexOf(ask), 1);
    }
  }

  /** They are known to be dead, and not buried. */
  mark(whom: readonly Who[]): void {
    for (const who of whom) {
      declareDead(this.backend('c').agent.control, this.domains[who].agent, () => true);
    }
  }

  /** Buries who died as it opened, at the place that is its own by then. */
  buryNewcomer(agent: number, by: Who): void {
    const { control } = this.backend(by).agent;
    if (declareDead(control, agent, () => true)) this.backend(by).reap(agent);
    expect(stateOf(control, agent)).toBe(C.FREE);
    dropClaims(control, isOver);
  }

  /** Its end is heard of; or somebody wants the lock that it has, and knows that it is dead. */
  bury(who: Who, by: Who, way: 'heard' | 'found'): void {
    const { agent } = this.domains[who];
    const { control } = this.backend(by).agent;
    declareDead(control, agent, () => true);
    if (way === 'found' && control[C.LOCK] !== 0) {
      this.domains[by].querySync();
    } else {
      this.backend(by).reap(agent);
    }
    dropClaims(control, isOver);
  }

  /** The living have what the rule gives them, and know it. `lost`: whose grants may be revoked. */
  async see(living: readonly Who[], lost: readonly string[] = []): Promise<void> {
    for (const who of living) this.domains[who].querySync();
    await settle();
    for (const name of this.#oracle.capacities.keys()) this.#follow(name, living[0] as Who);
    const { held, pending } = this.domains[living[0] as Who].querySync();
    const isLost = (label: string): boolean =>
      lost.includes(label) && !held.some((entry) => entry.label === label);
    for (const ask of this.#asks.filter(({ label }) => isLost(label))) {
      this.#oracle.remove(ask.set, true);
      this.#asks.splice(this.#asks.indexOf(ask), 1);
    }
    const live = this.#oracle.live.map((set) => this.#asks.find((ask) => ask.set === set));
    const labels = (granted: boolean) =>
      live.filter((ask) => ask?.set.granted === granted).map((ask) => ask?.label);
    expect(new Set(held.map(({ label }) => label))).toEqual(new Set(labels(true)));
    expect(held.map(({ label }) => label).length).toBe(labels(true).length);
    expect(pending.map(({ label }) => label)).toEqual(labels(false));
    for (const ask of this.#asks) {
      expect([ask.label, ask.state]).toEqual([ask.label, ask.set.granted ? 'granted' : 'waiting']);
    }
    expect(findArenaFaults(this.arena)).toEqual([]);
  }

  /** Everybody comes through, and nothing is left. */
  async end(living: readonly Who[], lost: readonly string[] = []): Promise<void> {
    await this.see(living, lost);
    while (this.#asks.length > 0) {
      const granted = this.#asks.find(({ set }) => set.granted);
      if (granted === undefined) throw new Error('they wait for ever');
      this.release(granted.label);
      await this.see(living);
    }
    for (const who of living) await this.domains[who].close();
    expect(findArenaFaults(this.arena)).toEqual([]);
  }

  /** The capacity is the one before, or the one after what died. */
  #follow(name: string, living: Who): void {
    const capacity = this.domains[living].capacity(name);
    const before = this.#oracle.capacities.get(name);
    if (capacity === undefined || capacity.capacity === before) return;
    const { refused } = this.#oracle.setCapacity(name, capacity.capacity);
    for (const ask of this.#asks.filter(({ set }) => refused.includes(set))) {
      expect([ask.label, ask.state]).toEqual([ask.label, 'refused']);
      this.#asks.splice(this.#asks.indexOf(ask), 1);
    }
  }

  #find(label: string): Ask {
    const ask = this.#asks.find((each) => each.label === label);
    if (ask === undefined) throw new Error(`nobody asks as ${label}`);
    return ask;
  }
}

/** Whoever stopped between claiming a place and living there, or on his way out, is dead. */
const isOver = (): boolean => true;

/** All that is due by now has run. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}
