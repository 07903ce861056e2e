/** Reads the sets of an arena: all that is known of them is in its words. */

import { LocalReader } from '../../report/core-reader.ts';
import { isPosted } from './inbox.ts';
import { labelIn, sessionIn } from './labels.ts';
import { keyOf } from './names.ts';

export class ArenaReader extends LocalReader {
  labelOf(set: number): string | undefined {
    return labelIn(this.#words, this.core.userData(set));
  }

  sessionLabelOf(set: number): string | undefined {
    return sessionIn(this.#words, this.core.userData(set));
  }

  override sinceOf(set: number): number {
    // The owner writes `grantedAt` when it takes the set from its inbox.
    return isPosted(this.#words, set) ? this.clock.now() : super.sinceOf(set);
  }

  nameOf(queue: number): string {
    const { text, isNameless } = keyOf(this.#words, this.core.resourceUserData(queue));
    return isNameless ? `#${text}` : text;
  }

  copy(): ArenaReader {
    return new ArenaReader(this.core.copy(), this.clock);
  }

  get #words(): Int32Array {
    return this.core.memory.words;
  }
}
