/**
 * Carrying what is held from a `run` into what its function asks for, along the asynchronous
 * context, so that nested runs need not declare it. The module of the platform that does this is
 * loaded only when it is asked for.
 */

import { UnsupportedError } from '../api/errors.ts';
import type { HostGrant } from './grant.ts';

interface Context {
  run<R>(value: readonly HostGrant[], fn: () => R): R;
  getStore(): readonly HostGrant[] | undefined;
}

export class CarriedHolding {
  readonly #context: Context;

  /** @throws UnsupportedError where the runtime has no AsyncLocalStorage. */
  constructor() {
    const load = globalThis.process?.getBuiltinModule as ((id: string) => unknown) | undefined;
    const module = load?.('async_hooks') as { AsyncLocalStorage: new () => Context } | undefined;
    if (module === undefined) {
      throw new UnsupportedError(
        'carryHolding needs AsyncLocalStorage, which this runtime lacks: pass `holding` instead',
      );
    }
    this.#context = new module.AsyncLocalStorage();
  }

  /** What is held around the caller. */
  get grants(): readonly HostGrant[] {
    return this.#context.getStore() ?? [];
  }

  run<R>(grant: HostGrant, fn: () => R): R {
    return this.#context.run([...this.grants.filter(({ isHeld }) => isHeld), grant], fn);
  }
}
