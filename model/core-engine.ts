/** Core as an engine of test vectors: it goes back by its words, copied after each step. */

import { ALL, Core, Memory, numbersIn, PASS_LOCKED, SYNC } from '../src/core/index.ts';
import * as L from '../src/core/layout.ts';
import type { Engine } from './replay.ts';
import {
  type GrantSeen,
  type Part,
  resourcesOf,
  type Seen,
  type Step,
  type Word,
} from './vectors.ts';

const wordsMax = 2048;

interface Moment {
  readonly words: Int32Array;
  /** Core's references of sets, and back. */
  readonly refs: ReadonlyMap<number, number>;
  readonly tokenLast: number;
}

export class CoreEngine implements Engine {
  readonly #memory = new Memory({ wordsMin: wordsMax, wordsMax });
  readonly #core = new Core(this.#memory);
  readonly #resources = new Map<string, number>();
  readonly #names = new Map<number, string>();
  readonly #moments: Moment[] = [];
  /** Of sets that are live, or were in this step. */
  #refs = new Map<number, number>();
  #tokenLast = 0;

  /** For the world of these vectors. */
  constructor(text: string) {
    for (const [name, capacity] of resourcesOf(text)) {
      const resource = this.#core.createResource(this.#resources.size);
      if (capacity !== undefined) this.#core.setCapacity(resource, capacity);
      this.#resources.set(name, resource);
      this.#names.set(resource, name);
    }
    this.#save();
  }

  back(depth: number): void {
    const moment = this.#moments[depth] as Moment;
    this.#moments.length = depth + 1;
    this.#memory.words.set(moment.words);
    this.#refs = new Map(moment.refs);
    this.#tokenLast = moment.tokenLast;
  }

  perform(step: Step): Seen {
    const ended: number[] = [];
    const own: GrantSeen[] = [];
    const word = this.#do(step, ended, own);
    const seen = this.#collect(word, own, ended);
    this.#save();
    return seen;
  }

  #do(step: Step, ended: number[], own: GrantSeen[]): Word {
    const core = this.#core;
    const [set = 0] = step.sets;
    const refs = step.sets.map((each) => this.#refs.get(each) as number);
    switch (step.kind) {
      case 'ask':
      case 'try':
        return this.#ask(step, set, own);
      case 'steal': {
        const { resources } = this.#take(step.parts);
        this.#refs.set(set, core.steal(resources, resources.length, step.isSync ? SYNC : 0, set));
        own.push(this.#granted(set));
        return 'granted';
      }
      case 'observe': {
        const { resources, exclusiveCount, units } = this.#take(step.parts);
        const ref = core.observe(resources, exclusiveCount, resources.length, set, units);
        this.#refs.set(set, ref);
        return core.isGranted(ref) ? 'settled' : 'waiting';
      }
      case 'end':
      case 'die':
        ended.push(...step.sets);
        if (refs.length === 1) core.remove(refs[0] as number, step.kind === 'die');
        else core.removeAll(refs, step.kind === 'die');
        return 'done';
      case 'resize':
        for (const [name, capacity] of Object.entries(step.units ?? {})) {
          core.setCapacity(this.#resources.get(name) as number, capacity);
        }
        return 'done';
      default:
        return this.#change(step, refs[0] as number);
    }
  }

  #change({ kind, names, units = {} }: Step, ref: number): Word {
    const core = this.#core;
    const part = names?.map((name) => this.#resources.get(name) as number);
    if (part !== undefined) core.choose(ref, part, part.length);
    const isPart = part !== undefined;
    if (kind === 'upgrade') return core.tryUpgrade(ref, isPart) ? 'done' : 'denied';
    if (kind === 'release') core.removeChosen(ref);
    else core.downgrade(ref, isPart, (each) => units[this.#names.get(each) as string] ?? 1);
    return 'done';
  }

  /** Whether the capacities that a request needs are in force, or can be asserted. */
  #declareFor(parts: readonly Part[]): boolean {
    const core = this.#core;
    const wanted = parts.flatMap(({ name, take, of }) => {
      const resource = this.#resources.get(name) as number;
      // A resource that is named exclusive, too, is exclusive, whatever its units assert.
      const isExclusive = parts.some((part) => part.name === name && part.take === 'x');
      return typeof take === 'number' && !isExclusive ? [{ resource, take, of }] : [];
    });
    const isMet = wanted.every(({ resource, take, of }) => {
      if (!core.isMetered(resource))
        return of !== undefined && take <= of && !core.isUsed(resource);
      const capacity = core.capacity(resource);
      return take <= capacity && (of ?? capacity) === capacity;
    });
    if (!isMet) return false;
    for (const { resource, of } of wanted) {
      if (!core.isMetered(resource)) core.assertCapacity(resource, of as number);
    }
    return true;
  }

  #ask({ kind, parts, isSync, locked, keeps }: Step, set: number, own: GrantSeen[]): Word {
    const core = this.#core;
    const { resources, exclusiveCount, units } = this.#take(parts);
    const isLocked = locked === 'fail' && core.firstLocked(resources, resources.length) !== 0;
    if (isLocked) return 'locked';
    if (!this.#declareFor(parts)) return 'capacity';
    const bits = (isSync ? SYNC : 0) | (locked === 'ignore' ? PASS_LOCKED : 0);
    const ref = core.enqueue(resources, exclusiveCount, resources.length, bits, set, 0, units);
    if (core.isGranted(ref)) {
      this.#refs.set(set, ref);
      own.push(this.#granted(set));
      return 'granted';
    }
    const held = keeps.map((each) => this.#refs.get(each) as number);
    const isKept = held.length > 0;
    const isDeadlock = isKept && core.declareHolding(ref, held)?.length !== 0;
    if (kind === 'ask' && !isDeadlock) {
      this.#refs.set(set, ref);
      return 'waiting';
    }
    core.remove(ref, false);
    return isDeadlock ? 'deadlock' : 'denied';
  }

  /** From the most units to the least, as core wants them. */
  #take(parts: readonly Part[]) {
    const unitsOf = ({ take }: Part): number => (take === 'x' ? ALL : take === 's' ? 1 : take);
    const ordered = parts.toSorted((one, other) => unitsOf(other) - unitsOf(one));
    return {
      resources: ordered.map(({ name }) => this.#resources.get(name) as number),
      exclusiveCount: ordered.filter(({ take }) => take === 'x').length,
      units: ordered.map(unitsOf),
    };
  }

  /** Takes the lists that an operation leaves. */
  #collect(word: Word, own: readonly GrantSeen[], ended: readonly number[]): Seen {
    const core = this.#core;
    const numbers = new Map([...this.#refs].map(([set, ref]) => [ref, set]));
    for (const set of ended) this.#refs.delete(set);
    const granted = [...own];
    const settled: number[] = [];
    for (let ref = core.takeGranted(); ref !== L.NOBODY; ref = core.takeGranted()) {
      const set = numbers.get(ref) as number;
      if (core.isObserver(ref)) settled.push(set);
      else granted.push(this.#granted(set));
    }
    const lost: number[] = [];
    const refused: number[] = [];
    for (let ref = core.takeLost(); ref !== L.NOBODY; ref = core.takeLost()) {
      const set = numbers.get(ref) as number;
      (core.isGranted(ref) ? lost : refused).push(set);
      core.forget(ref);
      this.#refs.delete(set);
    }
    while (core.takeIdle() !== L.NOBODY);
    const flagged = [...this.#resources].filter(([, resource]) => core.isRecovered(resource));
    return { word, granted, settled, lost, refused, flagged: flagged.map(([name]) => name) };
  }

  /** Tokens grow. */
  #granted(set: number): GrantSeen {
    const core = this.#core;
    const ref = this.#refs.get(set) as number;
    const token = core.token(ref);
    if (!(token > this.#tokenLast)) throw new Error(`token ${token} after ${this.#tokenLast}`);
    this.#tokenLast = token;
    const recovered: string[] = [];
    const ignored: string[] = [];
    const numbers: (readonly [string, readonly number[]])[] = [];
    for (let link = core.firstLink(ref); link !== L.NOBODY; link = core.nextLink(link)) {
      const resource = core.resourceOf(link);
      const name = this.#names.get(resource) as string;
      if (core.isRecovered(resource)) recovered.push(name);
      if (core.isIgnored(link)) ignored.push(name);
      numbers.push([name, numbersIn(core.ranges(link))]);
    }
    return { set, recovered, ignored, numbers };
  }

  #save(): void {
    const { words } = this.#memory;
    const refs = new Map(this.#refs);
    this.#moments.push({ words: words.slice(0, words[L.TOP]), refs, tokenLast: this.#tokenLast });
  }
}
