/** A core to tell short stories with: resources by name, and each operation returns who it woke. */

import { ALL, Core, findFaults, Memory, type MemorySize, numbersIn } from '../../src/core/index.ts';

export interface Wanted {
  readonly exclusive?: readonly string[];
  readonly shared?: readonly string[];
  /** In descending order. */
  readonly units?: Readonly<Record<string, number>>;
}

export class Scene {
  readonly memory: Memory;
  readonly core: Core;
  /** Resources that fell idle, and sets that were lost, in the last operation. */
  idle: readonly string[] = [];
  lost: readonly number[] = [];
  readonly #refs = new Map<string, number>();

  constructor(size?: MemorySize) {
    this.memory = new Memory(size);
    this.core = new Core(this.memory);
  }

  ref(name: string): number {
    const known = this.#refs.get(name);
    if (known !== undefined) return known;
    const ref = this.core.createResource(0);
    this.#refs.set(name, ref);
    return ref;
  }

  refs(names: readonly string[]): readonly number[] {
    return names.map((name) => this.ref(name));
  }

  ask(wanted: Wanted, bits = 0): number {
    const { refs, units } = this.#listed(wanted);
    const set = this.core.enqueue(refs, 0, refs.length, bits, 0, 0, units);
    this.settle();
    return set;
  }

  observe(wanted: Wanted): number {
    const { refs, units } = this.#listed(wanted);
    const observer = this.core.observe(refs, 0, refs.length, 0, units);
    this.settle();
    return observer;
  }

  #listed({ exclusive = [], shared = [], units = {} }: Wanted) {
    const names = [...exclusive, ...Object.keys(units), ...shared];
    const rest = [...Object.values(units), ...shared.map(() => 1)];
    return { refs: this.refs(names), units: [...exclusive.map(() => ALL), ...rest] };
  }

  /** Declares how many units there are. Returns the sets granted by it; `lost` has the refused. */
  resize(name: string, capacity: number): readonly number[] {
    this.core.setCapacity(this.ref(name), capacity);
    return this.settle();
  }

  /** The numbers of the units that a set has of a resource. */
  numbers(set: number, name: string): readonly number[] {
    const ref = this.ref(name);
    let link = this.core.firstLink(set);
    while (this.core.resourceOf(link) !== ref) link = this.core.nextLink(link);
    return numbersIn(this.core.ranges(link));
  }

  upgrade(set: number, part?: readonly string[]): boolean {
    if (part !== undefined) this.core.choose(set, this.refs(part), part.length);
    const isDone = this.core.tryUpgrade(set, part !== undefined);
    this.settle();
    return isDone;
  }

  /** The set that steals; `lost` has those whose grants it revoked. */
  steal(exclusive: readonly string[]): number {
    const steal = this.core.steal(this.refs(exclusive), exclusive.length, 0, 0);
    this.settle();
    return steal;
  }

  /** Release or cancel. Returns the sets granted by it, in order. */
  end(set: number, { died = false } = {}): readonly number[] {
    this.core.remove(set, died);
    return this.settle();
  }

  downgrade(set: number, part?: readonly string[], units = 1): readonly number[] {
    if (part !== undefined) this.core.choose(set, this.refs(part), part.length);
    this.core.downgrade(set, part !== undefined, () => units);
    return this.settle();
  }

  releasePart(set: number, part: readonly string[]): readonly number[] {
    this.core.choose(set, this.refs(part), part.length);
    this.core.removeChosen(set);
    return this.settle();
  }

  isHeld(set: number): boolean {
    return this.core.isGranted(set);
  }

  isRecovered(name: string): boolean {
    return this.core.isRecovered(this.ref(name));
  }

  isLocked(...names: readonly string[]): boolean {
    return this.core.firstLocked(this.refs(names), names.length) !== 0;
  }

  /** Resources that the set goes without. */
  ignored(set: number): readonly string[] {
    const names: string[] = [];
    for (let link = this.core.firstLink(set); link !== 0; link = this.core.nextLink(link)) {
      if (this.core.isIgnored(link)) names.push(this.#nameOf(this.core.resourceOf(link)));
    }
    return names;
  }

  /** What a host does after each operation; and every invariant of the words is looked at. */
  settle(): readonly number[] {
    const { core } = this;
    const granted = drain(() => core.takeGranted());
    this.lost = drain(() => core.takeLost());
    for (const set of this.lost) core.forget(set);
    this.idle = drain(() => core.takeIdle()).map((ref) => this.#nameOf(ref));
    const faults = findFaults(this.memory);
    if (faults.length > 0) throw new Error(faults.join('\n'));
    return granted;
  }

  #nameOf(ref: number): string {
    for (const [name, known] of this.#refs) if (known === ref) return name;
    throw new Error(`${ref} is no resource`);
  }
}

function drain(take: () => number): readonly number[] {
  const taken: number[] = [];
  for (let ref = take(); ref !== 0; ref = take()) taken.push(ref);
  return taken;
}
