/** Registers tests with whatever runner there is, and skips by name what a host does not offer. */

import { type ConformanceHost, type Need, offers } from './host.ts';
import { World } from './world.ts';

/** As vitest, jest, mocha and node:test have them. */
export interface Runner {
  describe(name: string, body: () => void): unknown;
  readonly it: {
    (name: string, body: () => Promise<void>): unknown;
    skip(name: string, body: () => Promise<void>): unknown;
  };
}

export type Test = (name: string, body: (world: World) => Promise<void>) => void;

export class Suite {
  readonly host: ConformanceHost;
  readonly runner: Runner;
  /** A test in a world of its own, in which nothing may be left when its requests have ended. */
  readonly test: Test;

  constructor(runner: Runner, host: ConformanceHost) {
    this.runner = runner;
    this.host = host;
    this.test = this.needing();
  }

  /** The same for what not every host offers. */
  readonly needing = (...needs: readonly Need[]): Test => {
    const { it } = this.runner;
    const missing = needs.filter((need) => !offers(this.host, need));
    return (name, body) => {
      const run = () => this.#run(body);
      if (missing.length === 0) it(name, run);
      else it.skip(`${name} (not offered by this host: ${missing.join(', ')})`, run);
    };
  };

  /** A test that opens worlds of its own, as many as it likes. */
  testHost(name: string, body: (host: ConformanceHost) => Promise<void>): void {
    this.runner.it(name, () => body(this.host));
  }

  readonly group = (name: string, body: () => void): void => {
    this.runner.describe(name, body);
  };

  async #run(body: (world: World) => Promise<void>): Promise<void> {
    const world = await World.open(this.host);
    try {
      await body(world);
    } catch (error) {
      // What went wrong first is what to tell; that the world then ends badly too is not.
      await world.dispose().catch(() => undefined);
      throw error;
    }
    await world.end();
  }
}
