/**
 * The sessions that the present broker knows. It is to know a session, and those around it, before
 * it receives anything that goes through it.
 */

import { LimitError } from '../../../api/errors.ts';
import type { RemoteScope } from '../../../remote/scope.ts';
import { sessionCountMax } from '../wire/limits.ts';
import type { ClientMessage } from '../wire/messages.ts';

export class SentSessions {
  readonly #numbers = new Set<number>();

  /** Another broker, or another connection, knows none. */
  clear(): void {
    this.#numbers.clear();
  }

  /** A session ends. False if the broker does not know it. */
  delete(number: number): boolean {
    return this.#numbers.delete(number);
  }

  /**
   * Writes what the broker does not know of a session yet.
   *
   * @throws LimitError if that would be more than the broker keeps for one client.
   */
  send(session: RemoteScope, write: (message: ClientMessage) => void): void {
    const unsent: RemoteScope[] = [];
    for (let at = session; at.parent !== undefined; at = at.parent) {
      if (this.#numbers.has(at.number)) break;
      unsent.push(at);
    }
    // The domain itself is one of them, there.
    if (this.#numbers.size + unsent.length >= sessionCountMax) {
      throw new LimitError(
        `one client has at most ${sessionCountMax} sessions at the broker: close some first`,
      );
    }
    for (const { number, parent, label } of unsent.reverse()) {
      this.#numbers.add(number);
      const named = label === undefined ? {} : { label };
      write({ do: 'session', session: number, parent: parent?.number ?? 0, ...named });
    }
  }
}
