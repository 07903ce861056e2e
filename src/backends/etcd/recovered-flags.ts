/**
 * The recovered flags that a client knows: those in the log, and its own, for resources that no
 * other client reaches.
 */

import type { RemoteRef } from '../../remote/resources.ts';
import { encodeResource } from './keys.ts';
import type { LiveSet } from './live-set.ts';
import type { OwnSet } from './own-set.ts';
import type { Replica } from './replica.ts';

export class RecoveredFlags {
  readonly #replica: Replica;
  readonly #private = new Set<string>();

  constructor(replica: Replica) {
    this.#replica = replica;
  }

  /** Sets or clears it: in the log, as the key of that set is next updated. */
  flag({ flags }: OwnSet, ref: RemoteRef, isSet: boolean, session: string): void {
    const name = encodeResource(ref, session);
    if (typeof ref === 'number') {
      if (isSet) this.#private.add(name);
      else this.#private.delete(name);
    } else if (isSet || this.#replica.flags.has(name)) {
      flags.set(name, isSet);
    }
  }

  /** The flagged resources of a granted set, to which `revoked` gave way. */
  recovered({ entry, session }: LiveSet, revoked: readonly LiveSet[]): readonly RemoteRef[] {
    const { state } = this.#replica;
    const taken =
      entry.steal === true
        ? revoked.flatMap((other) => state.wholesOf(other.entry.parts, other.session))
        : [];
    const refs = entry.parts.map(({ resource }) => resource);
    return refs.filter((ref) => {
      const name = encodeResource(ref, session);
      if (typeof ref === 'number') return this.#private.has(name);
      return this.#replica.flags.has(name) || taken.includes(ref);
    });
  }

  /** Resources that only a session could reach go with it. */
  forgetPrivate(): void {
    this.#private.clear();
  }
}
