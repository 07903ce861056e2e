/** The backends that recipes are tested on. */

import { createDomain, type SyncDomain } from 'kds';
import { createArena, openThreadsDomain } from 'kds/threads';

export const backends: readonly (readonly [name: string, open: () => SyncDomain])[] = [
  ['process', () => createDomain()],
  ['threads', () => openThreadsDomain(createArena({ bytesMax: 2 ** 22 }))],
];

export const nothing = { held: [], pending: [] };

/** A turn of the event loop: all microtasks are through. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A promise that is resolved from outside. */
export class Gate {
  readonly passed: Promise<void>;
  open!: () => void;

  constructor() {
    this.passed = new Promise((resolve) => {
      this.open = resolve;
    });
  }
}

/** What a promise rejects with; fails if it does not. */
export function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => {
      throw new Error(`came to ${String(value)}, and should have failed`);
    },
    (error: unknown) => error,
  );
}
