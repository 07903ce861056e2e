/**
 * Every interleaving of the atomic steps of a few agents.
 *
 * An agent's program is an ordinary function over a port of Atomics. JavaScript cannot suspend it,
 * so it is run again from its start with the results of the steps it has made, and stopped at the
 * next: that tells which step comes after which results. What has been learnt so is kept, and an
 * agent becomes an automaton: a place in its program, the step it makes there, the place after each
 * result.
 *
 * A state is the words, and of each agent its place and whether it is awake, asleep or dead. States
 * are walked breadth first, so the interleaving that is told with a failure is a shortest one. A
 * place is known by all results that led there, but for those that the program says it has
 * forgotten ({@link Agent.summed}, {@link Agent.again}): without that, who looks in a loop never
 * ends.
 *
 * Failures: what a program or a check throws; a state in which nobody can move and not all have
 * ended; one from which there is no way to the end, however kindly the rest is interleaved, without
 * another death. A notification goes to any of the sleepers, not to the first. Who dies asleep is
 * gone at once: had he been notified after his death, he might as well have died after that.
 */

import type { Steps } from '../src/backends/threads/lock.ts';

export type WaitResult = 'ok' | 'not-equal' | 'timed-out';
type Result = number | WaitResult;

type Step =
  | { readonly kind: 'load' | 'notice death'; readonly at: number }
  | { readonly kind: 'store' | 'exchange' | 'add'; readonly at: number; readonly value: number }
  | {
      readonly kind: 'compareExchange';
      readonly at: number;
      readonly expected: number;
      readonly value: number;
    }
  | {
      readonly kind: 'wait';
      readonly at: number;
      readonly value: number;
      readonly timeoutMs: number;
    }
  | { readonly kind: 'notify' | 'choose'; readonly at: number; readonly count: number }
  | { readonly kind: 'wait until it is'; readonly at: number; readonly value: number }
  | { readonly kind: 'atomically'; readonly at: number; readonly act: Action };

/** Returns undefined if it is not possible now. */
type Action = (memory: WorldMemory) => number | undefined;

/** What Atomics does, for the words of a world. */
export interface WordSteps {
  load(at: number): number;
  store(at: number, value: number): number;
  compareExchange(at: number, expected: number, value: number): number;
  exchange(at: number, value: number): number;
  add(at: number, value: number): number;
  wait(at: number, value: number, timeoutMs: number): WaitResult;
  notify(at: number, count: number): number;
}

/** The same as the threads host wants it. */
export function portOf(steps: WordSteps): Steps {
  const port = {
    load: (_: Int32Array, at: number) => steps.load(at),
    store: (_: Int32Array, at: number, value: number) => steps.store(at, value),
    compareExchange: (_: Int32Array, at: number, expected: number, value: number) =>
      steps.compareExchange(at, expected, value),
    exchange: (_: Int32Array, at: number, value: number) => steps.exchange(at, value),
    add: (_: Int32Array, at: number, value: number) => steps.add(at, value),
    wait: (_: Int32Array, at: number, value: number, timeoutMs = Number.POSITIVE_INFINITY) =>
      steps.wait(at, value, timeoutMs),
    notify: (_: Int32Array, at: number, count = Number.POSITIVE_INFINITY) =>
      steps.notify(at, count),
  };
  return port as unknown as Steps;
}

export type Program = (agent: Agent) => void;

export interface World {
  /** The words there are: index and name. */
  readonly words: ReadonlyMap<number, string>;
  /** What words begin as, if not as 0. */
  readonly start?: ReadonlyMap<number, number>;
  /**
   * Words that an agent reads and writes only while it alone may: `isGuard` is asked at each such
   * step. It commutes with all that others can do, so these are not interleaved with it, only its
   * own death is.
   */
  readonly guarded?: {
    readonly words: readonly number[];
    isGuard(memory: WorldMemory, agent: number): boolean;
  };
  /** One an agent. */
  readonly programs: readonly Program[];
  /** Which agents may die, before any of their steps. Default none. */
  readonly mortals?: readonly number[];
  /** How many of them, in one run. Default 1. */
  readonly deathCountMax?: number;
  /** Whether who waits with a limit may time out, at any moment. Default not. */
  readonly timeOuts?: boolean;
  /** Whether agents forget what they say they forget. Default they do. */
  readonly forgets?: boolean;
  /** Happens together with the death. */
  onDeath?(memory: WorldMemory, agent: number): void;
  /** Throws if this is no good end. */
  atEnd?(memory: WorldMemory): void;
}

/** What a check sees, and where it notes things down. */
interface WorldMemory {
  get(at: number): number;
  set(at: number, value: number): void;
  isDead(agent: number): boolean;
}

interface Failure {
  readonly what: string;
  readonly interleaving: readonly string[];
}

export interface Exploration {
  readonly stateCount: number;
  readonly transitionCount: number;
  /** How many states are ends. */
  readonly endCount: number;
  readonly failure: Failure | undefined;
  /** The words of all states, and what is next for each agent: to compare explorations. */
  appearances(): ReadonlySet<string>;
}

export function explore(world: World): Exploration {
  return new Explorer(world).run();
}

// ---------------------------------------------------------------------------------------------
// Agents

class Stop extends Error {}
const stop = new Stop();

type Note = (memory: WorldMemory) => void;

/** Of one run of a program: the results so far are played back, and the next step is found. */
export class Agent {
  readonly index: number;
  readonly words: WordSteps = {
    load: (at) => this.#number({ kind: 'load', at }),
    store: (at, value) => this.#number({ kind: 'store', at, value }),
    compareExchange: (at, expected, value) =>
      this.#number({ kind: 'compareExchange', at, expected, value }),
    exchange: (at, value) => this.#number({ kind: 'exchange', at, value }),
    add: (at, value) => this.#number({ kind: 'add', at, value }),
    wait: (at, value, timeoutMs) =>
      this.#step({ kind: 'wait', at, value, timeoutMs }) as WaitResult,
    notify: (at, count) => this.#number({ kind: 'notify', at, count }),
  };
  readonly #results: readonly Result[];
  readonly #forgets: boolean;
  readonly #remembered: string[] = [];
  readonly #notes: Note[] = [];
  #innermost = 0;
  #made = 0;
  #next: Step | undefined;

  constructor(index: number, results: readonly Result[], forgets: boolean) {
    this.index = index;
    this.#results = results;
    this.#forgets = forgets;
  }

  /** Waits for somebody's death, and says whose. Each is noticed once. */
  noticeDeath(): number {
    return this.#number({ kind: 'notice death', at: -1 });
  }

  /** Waits until a word is so. Only to begin something: the real agents cannot. */
  waitUntil(at: number, value: number): void {
    this.#step({ kind: 'wait until it is', at, value });
  }

  /** Instead of what takes the real agents several steps. */
  atomically(at: number, act: Action): number {
    return this.#number({ kind: 'atomically', at, act });
  }

  /** Any number from 0 to below `count`. */
  choose(count: number): number {
    return this.#number({ kind: 'choose', at: -1, count });
  }

  /** Notes something down, or checks it: in one moment with the step before, and no step itself. */
  note(note: Note): void {
    const isNew = this.#made === this.#results.length && this.#next === undefined;
    if (isNew) this.#notes.push(note);
  }

  /** Of all that `body` has read, only what it returns, or that it throws, matters afterwards. */
  summed<T>(name: string, body: () => T): T {
    const outer = this.#innermost;
    const start = this.#remembered.length;
    this.#remembered.push(`${name}(`);
    this.#innermost = start + 1;
    let outcome = 'thrown';
    try {
      const returned = body();
      outcome = String(returned);
      return returned;
    } finally {
      if (this.#next === undefined) {
        if (this.#forgets) this.#remembered.length = start;
        this.#remembered.push(`${name}=${outcome}`);
        this.#innermost = outer;
      }
    }
  }

  /**
   * A loop begins again: of all that was read in the innermost `summed`, only the last `keep`
   * results matter from here on.
   */
  again(name: string, keep = 0): void {
    if (this.#next !== undefined || !this.#forgets) return;
    const remembered = this.#remembered;
    const kept = keep === 0 ? [] : remembered.slice(-keep);
    remembered.length = this.#innermost;
    remembered.push(name, ...kept);
  }

  /** Runs a program to its next step, or its end. */
  play(program: Program): Played {
    let error: unknown;
    try {
      program(this);
    } catch (thrown) {
      if (thrown !== stop) error = thrown;
    }
    const end =
      this.#next === undefined ? `end ${error === undefined ? '' : messageOf(error)} ` : '';
    return {
      key: `${end}${this.#remembered.join(' ')}`,
      step: this.#next,
      error,
      notes: this.#notes,
    };
  }

  #number(step: Step): number {
    return this.#step(step) as number;
  }

  #step(step: Step): Result {
    const result = this.#results[this.#made];
    if (result === undefined || this.#next !== undefined) {
      this.#next ??= step;
      throw stop;
    }
    this.#made++;
    this.#remembered.push(String(result));
    return result;
  }
}

interface Played {
  readonly key: string;
  readonly step: Step | undefined;
  readonly error: unknown;
  readonly notes: readonly Note[];
}

interface Place {
  readonly id: number;
  /** Some results that lead here. */
  readonly results: readonly Result[];
  readonly step: Step | undefined;
  readonly error: unknown;
  readonly after: Map<Result, Arrival>;
}

interface Arrival {
  readonly place: Place;
  readonly notes: readonly Note[];
}

/** A program, as far as it has been played. */
class Automaton {
  readonly places: Place[] = [];
  readonly start: Arrival;
  readonly #index: number;
  readonly #program: Program;
  readonly #forgets: boolean;
  readonly #byKey = new Map<string, Place>();

  constructor(index: number, program: Program, forgets: boolean) {
    this.#index = index;
    this.#program = program;
    this.#forgets = forgets;
    this.start = this.#arrive([]);
  }

  after(from: Place, result: Result): Arrival {
    const known = from.after.get(result);
    if (known !== undefined) return known;
    const arrival = this.#arrive([...from.results, result]);
    from.after.set(result, arrival);
    return arrival;
  }

  #arrive(results: readonly Result[]): Arrival {
    const agent = new Agent(this.#index, results, this.#forgets);
    const { key, step, error, notes } = agent.play(this.#program);
    const known = this.#byKey.get(key);
    if (known !== undefined) {
      if (JSON.stringify(known.step) !== JSON.stringify(step)) {
        throw new Error(`agent ${this.#index} has forgotten what it still needs: ${key}`);
      }
      return { place: known, notes };
    }
    if (this.places.length > 0xffff) throw new Error(`agent ${this.#index} has too many places`);
    const place = { id: this.places.length, results, step, error, after: new Map() };
    this.places.push(place);
    this.#byKey.set(key, place);
    return { place, notes };
  }
}

// ---------------------------------------------------------------------------------------------
// States

const awake = 0;
const asleep = 1;
const dead = 2;
/** Dead, and somebody has noticed. */
const noticed = 3;

/** Words hold few different values in a small world: a byte stands for each. */
class Values {
  readonly #values: number[] = [];
  readonly #bytes = new Map<number, number>();

  toByte(value: number): number {
    const known = this.#bytes.get(value);
    if (known !== undefined) return known;
    const byte = this.#values.length;
    if (byte > 0xff) throw new Error('the words hold too many different values');
    this.#values.push(value);
    this.#bytes.set(value, byte);
    return byte;
  }

  fromByte(byte: number): number {
    return this.#values[byte]!;
  }
}

class State implements WorldMemory {
  readonly words: Int32Array;
  readonly places: Int32Array;
  readonly conditions: Uint8Array;
  readonly #positions: Int16Array;
  readonly #bytes: Buffer;
  readonly #values: Values;

  constructor(positions: Int16Array, values: Values, wordCount: number, agentCount: number) {
    this.words = new Int32Array(wordCount);
    this.places = new Int32Array(agentCount);
    this.conditions = new Uint8Array(agentCount);
    this.#positions = positions;
    this.#values = values;
    this.#bytes = Buffer.alloc(wordCount + agentCount * 3);
  }

  get(at: number): number {
    return this.words[this.#position(at)]!;
  }

  set(at: number, value: number): void {
    this.words[this.#position(at)] = value;
  }

  isDead(agent: number): boolean {
    return this.conditions[agent]! >= dead;
  }

  copy(other: State): void {
    this.words.set(other.words);
    this.places.set(other.places);
    this.conditions.set(other.conditions);
  }

  encode(): string {
    const bytes = this.#bytes;
    let at = 0;
    for (const word of this.words) bytes[at++] = this.#values.toByte(word);
    this.places.forEach((place, agent) => {
      bytes[at++] = place & 0xff;
      bytes[at++] = place >> 8;
      bytes[at++] = this.conditions[agent]!;
    });
    return bytes.toString('latin1');
  }

  decode(key: string): void {
    let at = 0;
    for (let word = 0; word < this.words.length; word++) {
      this.words[word] = this.#values.fromByte(key.charCodeAt(at++));
    }
    for (let agent = 0; agent < this.places.length; agent++) {
      this.places[agent] = key.charCodeAt(at) | (key.charCodeAt(at + 1) << 8);
      this.conditions[agent] = key.charCodeAt(at + 2);
      at += 3;
    }
  }

  #position(at: number): number {
    const position = this.#positions[at] ?? -1;
    if (position < 0) throw new Error(`the world has no word ${at}`);
    return position;
  }
}

/** What a transition leads to. */
interface Move {
  readonly agent: number;
  readonly what: 'step' | 'death' | 'time-out';
  readonly result?: Result;
  readonly woken?: readonly number[];
  /** What a note or the program has thrown. */
  readonly error: unknown;
}

class Explorer {
  readonly #world: World;
  readonly #automata: readonly Automaton[];
  readonly #isGuarded: ReadonlySet<number>;
  readonly #from: State;
  readonly #to: State;
  readonly #keys: string[] = [];
  readonly #ids = new Map<string, number>();
  readonly #parents: number[] = [];
  /** Where in `#nexts` those of each state begin; deaths are not among them. */
  readonly #nextsStart: number[] = [];
  readonly #nexts: number[] = [];
  readonly #ends: number[] = [];
  #transitionCount = 0;

  constructor(world: World) {
    this.#world = world;
    const indexes = [...world.words.keys()];
    const positions = new Int16Array(Math.max(...indexes) + 1).fill(-1);
    indexes.forEach((at, position) => {
      positions[at] = position;
    });
    const { programs, forgets = true } = world;
    this.#automata = programs.map((program, index) => new Automaton(index, program, forgets));
    const values = new Values();
    this.#from = new State(positions, values, indexes.length, programs.length);
    this.#to = new State(positions, values, indexes.length, programs.length);
    this.#isGuarded = new Set(world.guarded?.words);
  }

  run(): Exploration {
    const failure = this.#walk() ?? this.#findHopeless();
    return {
      stateCount: this.#keys.length,
      transitionCount: this.#transitionCount,
      endCount: this.#ends.length,
      failure,
      appearances: () => this.#appearances(),
    };
  }

  #walk(): Failure | undefined {
    for (const [at, value] of this.#world.start ?? []) this.#to.set(at, value);
    for (const { start } of this.#automata) {
      for (const note of start.notes) note(this.#to);
    }
    this.#reach(this.#to.encode(), -1);
    for (let id = 0; id < this.#keys.length; id++) {
      const key = this.#keys[id]!;
      this.#nextsStart.push(this.#nexts.length);
      let failed: Move | undefined;
      let isStuck = true;
      this.#moves(key, (move) => {
        this.#transitionCount++;
        if (move.error !== undefined) {
          failed ??= move;
          return;
        }
        const next = this.#reach(this.#to.encode(), id);
        if (move.what === 'death') return;
        isStuck = false;
        this.#nexts.push(next);
      });
      if (failed !== undefined) return this.#told(id, messageOf(failed.error), failed);
      this.#from.decode(key);
      if (this.#isEnd()) {
        this.#ends.push(id);
        try {
          this.#world.atEnd?.(this.#from);
        } catch (error) {
          return this.#told(id, `at the end: ${messageOf(error)}`);
        }
      } else if (isStuck) {
        return this.#told(id, 'nobody can move, and not all have ended');
      }
    }
    this.#nextsStart.push(this.#nexts.length);
    return undefined;
  }

  #reach(key: string, parent: number): number {
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const id = this.#keys.length;
    this.#ids.set(key, id);
    this.#keys.push(key);
    this.#parents.push(parent);
    return id;
  }

  /** A state from which no end can be reached. */
  #findHopeless(): Failure | undefined {
    const count = this.#keys.length;
    const starts = new Int32Array(count + 1);
    for (const to of this.#nexts) starts[to + 1]!++;
    for (let id = 0; id < count; id++) starts[id + 1]! += starts[id]!;
    const filled = starts.slice();
    const befores = new Int32Array(this.#nexts.length);
    for (let id = 0; id < count; id++) {
      const end = this.#nextsStart[id + 1]!;
      for (let at = this.#nextsStart[id]!; at < end; at++) {
        befores[filled[this.#nexts[at]!]!++] = id;
      }
    }
    const isHopeful = new Uint8Array(count);
    const open = [...this.#ends];
    for (const id of open) isHopeful[id] = 1;
    for (let id = open.pop(); id !== undefined; id = open.pop()) {
      for (let at = starts[id]!; at < starts[id + 1]!; at++) {
        const before = befores[at]!;
        if (isHopeful[before] === 1) continue;
        isHopeful[before] = 1;
        open.push(before);
      }
    }
    const hopeless = isHopeful.indexOf(0);
    return hopeless < 0 ? undefined : this.#told(hopeless, 'from here nothing leads to an end');
  }

  /** All living have ended, but for those that something must happen for that does not. */
  #isEnd(): boolean {
    const { conditions, places } = this.#from;
    const isDeathNew = conditions.includes(dead);
    return this.#automata.every((automaton, agent) => {
      if (conditions[agent]! >= dead) return true;
      const { step } = automaton.places[places[agent]!]!;
      if (step === undefined) return true;
      if (step.kind === 'notice death') return !isDeathNew;
      return step.kind === 'wait until it is' && this.#from.get(step.at) !== step.value;
    });
  }

  /** Calls back for each transition, with the state it leads to in `#to`. */
  #moves(key: string, made: (move: Move) => void): void {
    this.#from.decode(key);
    const alone = this.#automata.findIndex((_, agent) => {
      const at = this.#stepOf(agent)?.at;
      return at !== undefined && this.#isGuarded.has(at);
    });
    if (alone >= 0) {
      this.#movesOf(alone, made);
    } else {
      for (let agent = 0; agent < this.#automata.length; agent++) this.#movesOf(agent, made);
    }
  }

  /** The step that a living agent is before or asleep in. */
  #stepOf(agent: number): Step | undefined {
    if (this.#from.isDead(agent)) return undefined;
    return this.#automata[agent]!.places[this.#from.places[agent]!]!.step;
  }

  #movesOf(agent: number, made: (move: Move) => void): void {
    const step = this.#stepOf(agent);
    if (step === undefined) return;
    if (this.#from.conditions[agent] === awake) {
      this.#stepMoves(agent, step, made);
    } else if (this.#world.timeOuts && step.kind === 'wait' && Number.isFinite(step.timeoutMs)) {
      this.#goOn(agent, 'timed-out', { what: 'time-out' }, made);
    }
    if (this.#mayDie(agent)) this.#die(agent, made);
  }

  #mayDie(agent: number): boolean {
    const { mortals = [], deathCountMax = 1 } = this.#world;
    if (!mortals.includes(agent)) return false;
    let count = 0;
    for (const condition of this.#from.conditions) if (condition >= dead) count++;
    return count < deathCountMax;
  }

  #die(agent: number, made: (move: Move) => void): void {
    const to = this.#to;
    to.copy(this.#from);
    to.conditions[agent] = dead;
    // Where it was does not matter any more.
    to.places[agent] = 0;
    this.#world.onDeath?.(to, agent);
    made({ agent, what: 'death', error: undefined });
  }

  #stepMoves(agent: number, step: Step, made: (move: Move) => void): void {
    const from = this.#from;
    const write = (value: number, result: number): void => {
      this.#goOn(agent, result, { written: [step.at, value] }, made);
    };
    switch (step.kind) {
      case 'load':
        this.#goOn(agent, from.get(step.at), {}, made);
        break;
      case 'store':
        write(step.value, step.value);
        break;
      case 'exchange':
        write(step.value, from.get(step.at));
        break;
      case 'add':
        write((from.get(step.at) + step.value) | 0, from.get(step.at));
        break;
      case 'compareExchange': {
        const found = from.get(step.at);
        write(found === step.expected ? step.value : found, found);
        break;
      }
      case 'wait':
        if (from.get(step.at) === step.value) this.#fallAsleep(agent, made);
        else this.#goOn(agent, 'not-equal', {}, made);
        break;
      case 'notify':
        this.#notify(agent, step.at, step.count, made);
        break;
      case 'choose':
        for (let choice = 0; choice < step.count; choice++) this.#goOn(agent, choice, {}, made);
        break;
      case 'wait until it is':
        if (from.get(step.at) === step.value) this.#goOn(agent, step.value, {}, made);
        break;
      case 'atomically': {
        this.#to.copy(from);
        const result = step.act(this.#to);
        if (result !== undefined) this.#goOn(agent, result, { act: step.act }, made);
        break;
      }
      case 'notice death':
        from.conditions.forEach((condition, who) => {
          if (condition === dead) this.#goOn(agent, who, { noticed: who }, made);
        });
    }
  }

  #fallAsleep(agent: number, made: (move: Move) => void): void {
    const to = this.#to;
    to.copy(this.#from);
    to.conditions[agent] = asleep;
    made({ agent, what: 'step', error: undefined });
  }

  #notify(agent: number, at: number, count: number, made: (move: Move) => void): void {
    const sleepers: number[] = [];
    this.#automata.forEach(({ places }, other) => {
      if (this.#from.conditions[other] !== asleep) return;
      if (places[this.#from.places[other]!]!.step?.at === at) sleepers.push(other);
    });
    if (count >= sleepers.length) {
      this.#goOn(agent, sleepers.length, { woken: sleepers }, made);
    } else if (count === 1) {
      for (const sleeper of sleepers) this.#goOn(agent, 1, { woken: [sleeper] }, made);
    } else {
      throw new Error(`a notification of ${count} is not modelled`);
    }
  }

  /** The agent gets its result, and stands before its next step. */
  #goOn(
    agent: number,
    result: Result,
    effect: {
      readonly what?: 'time-out';
      readonly written?: readonly [number, number];
      readonly woken?: readonly number[];
      readonly noticed?: number;
      readonly act?: Action;
    },
    made: (move: Move) => void,
  ): void {
    const to = this.#to;
    const { what = 'step', written, woken = [] } = effect;
    to.copy(this.#from);
    let error: unknown;
    try {
      this.#checkGuard(agent);
      effect.act?.(to);
      if (written !== undefined) to.set(...written);
      if (effect.noticed !== undefined) to.conditions[effect.noticed] = noticed;
      for (const sleeper of woken) this.#arrive(sleeper, 'ok');
      this.#arrive(agent, result);
    } catch (thrown) {
      error = thrown;
    }
    made({ agent, what, result, woken, error });
  }

  #checkGuard(agent: number): void {
    const { guarded } = this.#world;
    const at = this.#stepOf(agent)?.at ?? -1;
    if (guarded === undefined || !this.#isGuarded.has(at)) return;
    if (!guarded.isGuard(this.#from, agent)) throw new Error('uses what it may not use now');
  }

  #arrive(agent: number, result: Result): void {
    const automaton = this.#automata[agent]!;
    const from = automaton.places[this.#from.places[agent]!]!;
    const { place, notes } = automaton.after(from, result);
    this.#to.places[agent] = place.id;
    this.#to.conditions[agent] = awake;
    for (const note of notes) note(this.#to);
    if (place.error !== undefined) throw place.error;
  }

  // -------------------------------------------------------------------------------------------
  // Telling

  #told(id: number, what: string, last?: Move): Failure {
    const path: number[] = [];
    for (let at = id; at >= 0; at = this.#parents[at]!) path.unshift(at);
    const interleaving = path.slice(1).map((to, index) => {
      const from = path[index]!;
      let line = '';
      this.#moves(this.#keys[from]!, (move) => {
        const isIt = line === '' && move.error === undefined;
        if (isIt && this.#to.encode() === this.#keys[to]) line = this.#line(move);
      });
      return line;
    });
    this.#from.decode(this.#keys[id]!);
    if (last !== undefined) interleaving.push(this.#line(last));
    else interleaving.push(...this.#automata.map((_, agent) => `then ${this.#standing(agent)}`));
    return { what, interleaving };
  }

  /** A transition from the state in `#from`. */
  #line({ agent, what, result, woken = [] }: Move): string {
    if (what === 'death') return `agent ${agent} dies`;
    if (what === 'time-out') return `agent ${agent}: its wait times out`;
    const { step } = this.#automata[agent]!.places[this.#from.places[agent]!]!;
    const wakes = woken.length > 0 ? `, which wakes ${woken.join(' and ')}` : '';
    const results = result === undefined ? 'sleeps' : shown(result);
    return `agent ${agent}: ${this.#named(step)}: ${results}${wakes}`;
  }

  #standing(agent: number): string {
    const condition = this.#from.conditions[agent]!;
    if (condition >= dead) return `agent ${agent} is dead`;
    const { step } = this.#automata[agent]!.places[this.#from.places[agent]!]!;
    if (step === undefined) return `agent ${agent} has ended`;
    const how = condition === asleep ? 'sleeps in' : 'is before';
    return `agent ${agent} ${how} ${this.#named(step)}`;
  }

  #named(step: Step | undefined): string {
    if (step === undefined) return 'its end';
    const name = this.#world.words.get(step.at);
    const operands = Object.entries(step).flatMap(([key, value]) =>
      key === 'kind' || key === 'at' || key === 'act' ? [] : [`${key} ${shown(value)}`],
    );
    return [step.kind, name === undefined ? '' : `[${name}]`, ...operands]
      .filter((part) => part !== '')
      .join(' ');
  }

  #appearances(): ReadonlySet<string> {
    const appearances = new Set<string>();
    for (const key of this.#keys) {
      this.#from.decode(key);
      const standing = this.#automata.map((_, agent) => this.#standing(agent));
      appearances.add([...this.#from.words, ...standing].join());
    }
    return appearances;
  }
}

function shown(value: unknown): string {
  const isMarked = typeof value === 'number' && value >= 2 ** 30 && value < 2 ** 31;
  return isMarked ? `${value - 2 ** 30}|2^30` : String(value);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
