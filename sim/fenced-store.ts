/**
 * Data that the locks protect, on another server: each access comes with a token, and a fence
 * refuses stale ones. The server's own order of grants decides which ones the fence must refuse.
 */

import type { Section } from './checker.ts';
import type { GrantSeen, Mode } from './grants.ts';
import type { SeededRandom } from './random.ts';
import { Violation, type World } from './world.ts';

/** Whether the access is let in. */
export type Fence = (name: string, token: number, mode: Mode) => boolean;

interface Access {
  readonly seen: GrantSeen;
  readonly token: number;
  readonly mode: Mode;
}

export class FencedStore {
  acceptedCount = 0;
  refusedCount = 0;
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #fence: Fence;
  /** By name: the accesses that were let in. */
  readonly #accepted = new Map<string, Access[]>();

  constructor(world: World, fence: Fence) {
    this.#world = world;
    this.#random = world.random.fork();
    this.#fence = fence;
  }

  /** Sends an access to all that a section names; resolves when each of them is answered. */
  async accessAll({ machine, grant, seen, links }: Section): Promise<void> {
    const all = [...links].map(([name, mode]) => {
      return this.#access({ seen, token: grant.token, mode }, name, (run) => machine.receive(run));
    });
    await Promise.all(all);
  }

  /** The access arrives even if its sender is gone by then. */
  #access(access: Access, name: string, receive: (run: () => void) => void): Promise<void> {
    return new Promise((resolve) => {
      const { clock } = this.#world;
      clock.after(this.#random.real(0.1, this.#random.chance(0.1) ? 500 : 5), () => {
        this.#arrive(access, name);
        clock.after(this.#random.real(0.1, 5), () => receive(resolve));
      });
    });
  }

  #arrive(access: Access, name: string): void {
    const { seen, token, mode } = access;
    const isAccepted = this.#fence(name, token, mode);
    const what = `${mode === 'x' ? 'write' : 'read'} of ${name} by ${token}`;
    this.#world.log(() => `  ${what} is ${isAccepted ? 'done' : 'stale'}`);
    const accepted = this.#accepted.get(name) ?? [];
    const later = accepted.find(
      (other) => (mode === 'x' || other.mode === 'x') && other.seen.order > seen.order,
    );
    if (isAccepted) {
      this.acceptedCount++;
      this.#accepted.set(name, [...accepted, access]);
      this.#check(later === undefined, `${what} is accepted after ${later?.token} was seen`);
    } else {
      this.refusedCount++;
      // A late access of a grant that was ended may meet a server that has it again.
      const isHeld = seen.outcome === 'live' && !seen.wasTaken && !seen.wasEnded;
      this.#check(!isHeld, `${what}, which is held, is refused`);
    }
  }

  #check(isTrue: boolean, what: string): void {
    if (!isTrue) this.#world.fail(new Violation(`at the fence: ${what}`));
  }
}

/** What docs/concepts.md has users do with tokens: readers let later readers and writers by. */
export function plainFence(): Fence {
  const names = new Map<string, { seen: number; written: number }>();
  return (name, token, mode) => {
    const { seen, written } = names.get(name) ?? { seen: 0, written: 0 };
    if (token < (mode === 's' ? written : seen)) return false;
    const isWrite = mode === 'x';
    names.set(name, { seen: Math.max(seen, token), written: isWrite ? token : written });
    return true;
  };
}
