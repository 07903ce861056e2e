/**
 * The grants held around a call, passed on from each `run` by the asynchronous context, so that
 * nested requests need not declare them. The platform's module is loaded only where this is used.
 */

import { UnsupportedError } from '../api/errors.ts';
import type { GrantSource, LocalGrant } from './grant.ts';

interface Context {
  run<R>(value: readonly LocalGrant[], fn: () => R): R;
  getStore(): readonly LocalGrant[] | undefined;
}

export class HeldContext {
  readonly #backend: GrantSource;
  readonly #context: Context;

  private constructor(backend: GrantSource, context: Context) {
    this.#backend = backend;
    this.#context = context;
  }

  /** @throws UnsupportedError where the runtime has no AsyncLocalStorage. */
  static open(backend: GrantSource, nested: string): HeldContext {
    const load = globalThis.process?.getBuiltinModule as ((id: string) => unknown) | undefined;
    const module = load?.('async_hooks') as { AsyncLocalStorage: new () => Context } | undefined;
    if (module === undefined) {
      throw new UnsupportedError(
        `nested: '${nested}' needs AsyncLocalStorage, which this runtime lacks: ` +
          `pass \`holding\` instead${nested === 'checked' ? '' : ', or use grant.run'}`,
      );
    }
    return new HeldContext(backend, new module.AsyncLocalStorage());
  }

  /** The same context, for an inner domain. */
  of(backend: GrantSource): HeldContext {
    return new HeldContext(backend, this.#context);
  }

  /** The grants of this domain that are held around the caller. */
  get grants(): readonly LocalGrant[] {
    return this.around.filter(({ scope }) => scope.backend === this.#backend);
  }

  /** The same with those of inner and outer domains, the innermost last. */
  get around(): readonly LocalGrant[] {
    return this.#context.getStore() ?? [];
  }

  run<R>(grant: LocalGrant, fn: () => R): R {
    return this.#context.run([...this.around.filter(({ isHeld }) => isHeld), grant], fn);
  }
}
