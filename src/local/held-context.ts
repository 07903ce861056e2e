/**
 * The grants held around a call, passed on from each `run` by the asynchronous context, so that
 * nested requests need not declare them. The platform's module is loaded only where this is used.
 */

import { UnsupportedError } from '../api/errors.ts';
import type { LocalGrant } from './grant.ts';

interface Context {
  run<R>(value: readonly LocalGrant[], fn: () => R): R;
  getStore(): readonly LocalGrant[] | undefined;
}

export class HeldContext {
  readonly #context: Context;

  /** @throws UnsupportedError where the runtime has no AsyncLocalStorage. */
  constructor() {
    const load = globalThis.process?.getBuiltinModule as ((id: string) => unknown) | undefined;
    const module = load?.('async_hooks') as { AsyncLocalStorage: new () => Context } | undefined;
    if (module === undefined) {
      throw new UnsupportedError(
        "nested: 'checked' needs AsyncLocalStorage, which this runtime lacks: " +
          'pass `holding` instead',
      );
    }
    this.#context = new module.AsyncLocalStorage();
  }

  /** The grants held around the caller. */
  get grants(): readonly LocalGrant[] {
    return this.#context.getStore() ?? [];
  }

  run<R>(grant: LocalGrant, fn: () => R): R {
    return this.#context.run([...this.grants.filter(({ isHeld }) => isHeld), grant], fn);
  }
}
