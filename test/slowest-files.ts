/** A reporter that prints the test files that took longest, when all have run. */

import type { Reporter, TestModule } from 'vitest/node';

const countMax = 10;

export const slowestFiles: Reporter = {
  onTestRunEnd(modules) {
    if (modules.length <= countMax) return;
    const timed = modules.map((module) => ({
      path: module.relativeModuleId,
      ms: durationMs(module),
    }));
    timed.sort((a, b) => b.ms - a.ms);
    console.log(`\n The ${countMax} slowest of ${timed.length} files:`);
    for (const { path, ms } of timed.slice(0, countMax)) {
      console.log(`${(ms / 1000).toFixed(1).padStart(8)} s  ${path}`);
    }
  },
};

/** Imports, hooks and tests, in real time: files that run at the same time slow each other down. */
function durationMs(module: TestModule): number {
  const { collectDuration, setupDuration, duration } = module.diagnostic();
  return collectDuration + setupDuration + duration;
}
