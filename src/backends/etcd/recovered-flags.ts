/**
 * The marks that a client knows of: those in the log, and, of resources that nobody else reaches,
 * its own.
 */

import type { RemoteRef } from '../../remote/resources.ts';
import { encodeResource } from './keys.ts';
import type { LiveSet } from './live-set.ts';
import type { OwnSet } from './own-set.ts';
import type { Replica } from './replica.ts';

export class Marks {
  readonly #replica: Replica;
  readonly #private = new Set<string>();

  constructor(replica: Replica) {
    this.#replica = replica;
  }

  /** Sets or clears it: in the log, as the key of that set is next changed. */
  mark({ marks }: OwnSet, ref: RemoteRef, isSet: boolean, session: string): void {
    const name = encodeResource(ref, session);
    if (typeof ref === 'number') {
      if (isSet) this.#private.add(name);
      else this.#private.delete(name);
    } else if (isSet || this.#replica.marks.has(name)) {
      marks.set(name, isSet);
    }
  }

  /** Of what a set that is granted names; `robbed` have given way to it just now. */
  recovered({ entry, session }: LiveSet, robbed: readonly LiveSet[]): readonly RemoteRef[] {
    const taken = entry.steal === true ? robbed.flatMap((live) => live.entry.exclusive) : [];
    return [...entry.exclusive, ...entry.shared].filter((ref) => {
      const name = encodeResource(ref, session);
      if (typeof ref === 'number') return this.#private.has(name);
      return this.#replica.marks.has(name) || taken.includes(ref);
    });
  }

  /** What only a session could reach goes with it. */
  forgetPrivate(): void {
    this.#private.clear();
  }
}
