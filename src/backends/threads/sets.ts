/** What is known of the sets of an arena: all of it is in its words. */

import { HostSets } from '../../local/host-sets.ts';
import { isPosted } from './agents.ts';
import { labelIn, sessionIn } from './labels.ts';
import { keyOf } from './names.ts';

export class ArenaSets extends HostSets {
  labelOf(set: number): string | undefined {
    return labelIn(this.#words, this.core.tag(set));
  }

  sessionLabelOf(set: number): string | undefined {
    return sessionIn(this.#words, this.core.tag(set));
  }

  override sinceOf(set: number): number {
    // Its note is written when its owner hears of it.
    return isPosted(this.#words, set) ? this.clock.now() : super.sinceOf(set);
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
