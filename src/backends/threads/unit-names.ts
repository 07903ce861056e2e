/**
 * Names of units, in the arena: a JSON text that the user data of a capacity leads to. Each agent
 * remembers those that it has read until any of them change, by any agent.
 */

import type { Core } from '../../core/index.ts';
import { reserve } from '../../core/slots.ts';
import * as R from './root.ts';
import { freeText, readText, slotsOfText, writeText } from './text.ts';

type Names = readonly string[] | undefined;

/** How many slots {@link UnitNames.set} takes. */
export function slotsOfUnitNames(names: Names): number {
  return names === undefined ? 0 : slotsOfText(JSON.stringify(names));
}

/** Within an operation. */
export class UnitNames {
  readonly #core: Core;
  /** By the slot of their text. */
  readonly #known = new Map<number, Names>();
  #changesSeen = 0;

  constructor(core: Core) {
    this.#core = core;
  }

  of(queue: number): Names {
    const first = this.#core.capacityUserData(queue);
    if (first === 0) return undefined;
    const { words } = this.#core.memory;
    const changes = words[R.ROOT | R.UNIT_NAME_CHANGES];
    if (changes !== this.#changesSeen) this.forget();
    this.#changesSeen = changes;
    const known = this.#known.get(first);
    if (known !== undefined) return known;
    const names: Names = Object.freeze(JSON.parse(readText(words, first)));
    this.#known.set(first, names);
    return names;
  }

  /** Of a resource with a declared capacity. There is memory for them. */
  set(queue: number, names: Names): void {
    const { memory } = this.#core;
    const { words } = memory;
    const before = this.#core.capacityUserData(queue);
    if (before === 0 && names === undefined) return;
    // Slots that this operation has freed come first, and are not saved yet.
    reserve(memory, slotsOfUnitNames(names));
    const text = names === undefined ? 0 : writeText(words, JSON.stringify(names));
    if (before !== 0) freeText(words, before);
    this.#core.setCapacityUserData(queue, text);
    R.change(words, R.UNIT_NAME_CHANGES, 1);
  }

  /** The operation that they were read in may be undone. */
  forget(): void {
    this.#known.clear();
  }
}
