/** Faults that come again and again in a world, until it calms down. */

import type { World } from './world.ts';

export class Disturbances {
  readonly #world: World;
  #isOver = false;

  constructor(world: World) {
    this.#world = world;
  }

  /** `meanMs`: the mean time between two, in ms; undefined for never. */
  readonly often = (meanMs: number | undefined, disturb: () => void): void => {
    if (meanMs === undefined) return;
    this.#world.clock.after(this.#world.random.real(0, 2 * meanMs), () => {
      if (this.#isOver) return;
      disturb();
      this.often(meanMs, disturb);
    });
  };

  /** No fault follows. Returns false if they have ended before. */
  end(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#world.log(() => 'from here on nothing goes wrong');
    return true;
  }
}
