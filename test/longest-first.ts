/**
 * The order of the files within a project: those that take long before the others, so that no core
 * is idle at the end while another one still has a long file before it.
 *
 * Vitest has the times of the files in its cache, and a fresh clone has no cache. Then vitest goes
 * by the size of a file, which means little: one of five lines walks a million states.
 */

import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The longest first; each takes a quarter of a minute or more. The rest is short. */
export const longFiles: readonly string[] = [
  'model/worlds-in-redis-of-more-sets.test.ts',
  'test/site/site.test.ts',
  'test/examples/video.test.ts',
  'test/broker/stress.test.ts',
  'test/declarations/declarations.test.ts',
  'model/worlds.test.ts',
  'test/examples/globe.test.ts',
  'test/conformance/broken-backends.test.ts',
  'test/browser/inspect-page.test.ts',
  'model/worlds-in-redis-of-three-sets.test.ts',
  'test/threads/faults/every-step.test.ts',
  'test/broker/term-record.test.ts',
  'test/test-runners/runners.test.ts',
  'test/display/ten-thousand-frames.test.ts',
  'test/conformance/broker-processes.test.ts',
  'test/browser/threads.test.ts',
  'test/documentation.test.ts',
  'test/cli/units.test.ts',
  'test/sim/etcd-faults.test.ts',
  'test/redis/chaos/mutants.test.ts',
  'test/conformance/etcd.test.ts',
  'test/threads/out-of-reach.test.ts',
  'test/broker/units.test.ts',
  'test/conformance/broker.test.ts',
  'test/sim/etcd.test.ts',
  'test/sim/redis.test.ts',
];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.toSorted(
      (one, other) =>
        groupOf(one) - groupOf(other) || rankOf(one.moduleId) - rankOf(other.moduleId),
    );
  }
}

/** Projects run one after the other. */
function groupOf({ project }: TestSpecification): number {
  return project.config.sequence.groupOrder;
}

function rankOf(path: string): number {
  const rank = longFiles.findIndex((file) => path.endsWith(`/${file}`));
  return rank < 0 ? longFiles.length : rank;
}
