/** Registers tests with any runner, and skips by name those that a backend lacks features for. */

import { type ConformanceBackend, type Need, offers } from './backend.ts';
import { World } from './world.ts';

/**
 * The common part of vitest, jest, mocha and node:test.
 *
 * @example
 * ```ts no-run
 * import { describe, it } from 'node:test';
 * import type { Runner } from 'kds/conformance';
 *
 * const runner: Runner = { describe, it };
 * ```
 * @since 0.1.0
 */
export interface Runner {
  /**
   * Registers a group of tests.
   *
   * @param name - Name of the group.
   * @param body - Registers the tests of the group.
   * @waits Never.
   */
  describe(name: string, body: () => void): unknown;
  /** Registers a test, or with `skip` one that is not run. */
  readonly it: {
    /**
     * Registers a test.
     *
     * @param name - Name of the test.
     * @param body - The test: it fails if this rejects.
     * @waits Never.
     */
    (name: string, body: () => Promise<void>): unknown;
    /**
     * Registers a test that is not run.
     *
     * @param name - Name of the test, and the reason.
     * @param body - The test.
     * @waits Never.
     */
    skip(name: string, body: () => Promise<void>): unknown;
  };
}

export type Test = (name: string, body: (world: World) => Promise<void>) => void;

export class Suite {
  readonly backend: ConformanceBackend;
  readonly runner: Runner;
  /** A test in a world of its own, which must be empty when its requests have ended. */
  readonly test: Test;

  constructor(runner: Runner, backend: ConformanceBackend) {
    this.runner = runner;
    this.backend = backend;
    this.test = this.needing();
  }

  /** A test that needs features which not every backend has. */
  readonly needing = (...needs: readonly Need[]): Test => {
    const { it } = this.runner;
    const missing = needs.filter((need) => !offers(this.backend, need));
    return (name, body) => {
      const run = () => this.#run(body);
      if (missing.length === 0) it(name, run);
      else it.skip(`${name} (not offered by this backend: ${missing.join(', ')})`, run);
    };
  };

  /** A test that opens worlds of its own. */
  testBackend(name: string, body: (backend: ConformanceBackend) => Promise<void>): void {
    this.runner.it(name, () => body(this.backend));
  }

  readonly group = (name: string, body: () => void): void => {
    this.runner.describe(name, body);
  };

  async #run(body: (world: World) => Promise<void>): Promise<void> {
    const world = await World.open(this.backend);
    try {
      await body(world);
    } catch (error) {
      // The first error is reported, and not a second one that follows from it.
      await world.dispose().catch(() => undefined);
      throw error;
    }
    await world.end();
  }
}
