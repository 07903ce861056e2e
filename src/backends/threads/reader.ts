/** Reads the sets of an arena: all that is known of them is in its words. */

import type { Core } from '../../core/index.ts';
import type { LocalReader, StampClock } from '../../report/core-reader.ts';
import { isPosted } from './inbox.ts';
import { labelIn, sessionIn } from './labels.ts';
import { keyOf } from './names.ts';
import { UnitNames } from './unit-names.ts';

export class ArenaReader implements LocalReader {
  readonly core: Core;
  readonly clock: StampClock;
  readonly #unitNames: UnitNames;

  constructor(core: Core, clock: StampClock, unitNames = new UnitNames(core)) {
    this.core = core;
    this.clock = clock;
    this.#unitNames = unitNames;
  }

  idOf(set: number): number {
    return this.core.arrival(set);
  }

  tokenOf(set: number): number {
    return this.core.token(set);
  }

  labelOf(set: number): string | undefined {
    return labelIn(this.#words, this.core.userData(set));
  }

  sessionLabelOf(set: number): string | undefined {
    return sessionIn(this.#words, this.core.userData(set));
  }

  sinceOf(set: number): number {
    // The owner writes `grantedAt` when it takes the set from its inbox.
    if (isPosted(this.#words, set)) return this.clock.now();
    return this.clock.fromStamp(this.core.grantedAt(set));
  }

  nameOf(queue: number): string {
    const { text, isNameless } = keyOf(this.#words, this.core.resourceUserData(queue));
    return isNameless ? `#${text}` : text;
  }

  unitNamesOf(queue: number): readonly string[] | undefined {
    return this.#unitNames.of(queue);
  }

  copy(): ArenaReader {
    return new ArenaReader(this.core.copy(), this.clock);
  }

  get #words(): Int32Array {
    return this.core.memory.words;
  }
}
