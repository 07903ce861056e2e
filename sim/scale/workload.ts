/**
 * Which sets clients want. A resource is a number, and lives on shard `resource % shardCount`; in a
 * set it is written as twice that number, plus one where it is wanted exclusive.
 */

import type { SeededRandom } from '../random.ts';
import type { WorkloadOptions } from './options.ts';

export class Workload {
  readonly #random: SeededRandom;
  readonly #options: WorkloadOptions;
  /** The part of all wishes that go to the first n resources; empty if all are alike. */
  readonly #upTo: Float64Array;
  readonly #mostPopular: number;

  constructor(random: SeededRandom, options: WorkloadOptions, shardCount: number) {
    this.#random = random;
    this.#options = options;
    this.#mostPopular = shardCount >> 1;
    this.#upTo = options.skew === 0 ? new Float64Array(0) : cumulative(options);
  }

  /** Writes a set of `setSize` different resources to `sets`, from that place on. */
  draw(sets: Int32Array, first: number): void {
    const { setSize, sharedPart } = this.#options;
    for (let count = 0; count < setSize; ) {
      const resource = this.#upTo.length === 0 ? this.#any() : this.#popular();
      if (isIn(sets, first, first + count, resource)) continue;
      const isShared = sharedPart > 0 && this.#random.chance(sharedPart);
      sets[first + count++] = (resource << 1) | (isShared ? 0 : 1);
    }
  }

  #any(): number {
    return this.#random.below(this.#options.resourceCount);
  }

  /**
   * The most popular ones are dealt to the shards in turn, beginning with the one in the middle:
   * so no shard has all the load, and who locks shard by shard meets the worst neither first, when
   * it would hold it longest, nor last.
   */
  #popular(): number {
    const upTo = this.#upTo;
    const wanted = this.#random.real(0, 1);
    let low = 0;
    let high = upTo.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((upTo[middle] as number) > wanted) high = middle;
      else low = middle + 1;
    }
    return (low + this.#mostPopular) % upTo.length;
  }
}

function cumulative({ resourceCount, skew }: WorkloadOptions): Float64Array {
  const upTo = new Float64Array(resourceCount);
  let sum = 0;
  for (let rank = 0; rank < resourceCount; rank++) {
    sum += (rank + 1) ** -skew;
    upTo[rank] = sum;
  }
  return upTo.map((part) => part / sum);
}

function isIn(sets: Int32Array, first: number, end: number, resource: number): boolean {
  for (let index = first; index < end; index++) {
    if ((sets[index] as number) >> 1 === resource) return true;
  }
  return false;
}
