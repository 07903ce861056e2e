/** A core to tell short stories with: resources by name, and each operation returns who it woke. */

import { Core, findFaults, Memory, type MemorySize } from '../../src/core/index.ts';

export interface Wanted {
  readonly exclusive?: readonly string[];
  readonly shared?: readonly string[];
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

  ask({ exclusive = [], shared = [] }: Wanted, bits = 0): number {
    const refs = this.refs([...exclusive, ...shared]);
    const set = this.core.enqueue(refs, exclusive.length, refs.length, bits, 0, 0);
    this.settle();
    return set;
  }

  observe({ exclusive = [], shared = [] }: Wanted): number {
    const refs = this.refs([...exclusive, ...shared]);
    const observer = this.core.observe(refs, exclusive.length, refs.length, 0);
    this.settle();
    return observer;
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

  downgrade(set: number, part?: readonly string[]): readonly number[] {
    if (part !== undefined) this.core.choose(set, this.refs(part), part.length);
    this.core.downgrade(set, part !== undefined);
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
