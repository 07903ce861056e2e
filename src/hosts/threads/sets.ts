/** What is known of the sets of an arena: all of it is in its words. */

import type { Core } from '../../core/index.ts';
import type { HostClock } from '../../sync-domain/host.ts';
import type { SetsInView } from '../../sync-domain/sets-in-view.ts';
import { isPosted } from './agents.ts';
import { labelIn, sessionIn } from './labels.ts';
import { keyOf } from './names.ts';

export class ArenaSets implements SetsInView {
  readonly core: Core;
  readonly clock: HostClock;

  constructor(core: Core, clock: HostClock) {
    this.core = core;
    this.clock = clock;
  }

  idOf(set: number): number {
    return this.core.arrival(set);
  }

  tokenOf(set: number): number {
    return this.core.token(set);
  }

  labelOf(set: number): string | undefined {
    return labelIn(this.#words, this.core.tag(set));
  }

  sessionLabelOf(set: number): string | undefined {
    return sessionIn(this.#words, this.core.tag(set));
  }

  sinceOf(set: number): number {
    // Its note is written when its owner hears of it.
    if (isPosted(this.#words, set)) return this.clock.now();
    return this.clock.fromNote(this.core.note(set));
  }

  nameOf(queue: number): string {
    const { text, isNameless } = keyOf(this.#words, this.core.resourceTag(queue));
    return isNameless ? `#${text}` : text;
  }

  copy(): ArenaSets {
    return new ArenaSets(this.core.copy(), this.clock);
  }

  get #words(): Int32Array {
    return this.core.memory.words;
  }
}
