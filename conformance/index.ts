/**
 * kds/conformance: the requirements of every backend, as one suite.
 *
 * A backend is given as a function to open it and a list of its capabilities; tests of others are
 * skipped by name. The suite registers its tests with any runner, uses the public interface only,
 * and never sleeps: `query()` is its fence. The {@link Oracle} is the naive rule, and the random
 * runs compare the backend with it, step by step.
 */

import type { ConformanceBackend } from './backend.ts';
import { testBadInput } from './bad-input.ts';
import { testCallbackObjects } from './callback-objects.ts';
import { testCallbacks } from './callbacks.ts';
import { testClosing } from './closing.ts';
import { testContexts } from './contexts.ts';
import { testEnding } from './ending.ts';
import { testGrants } from './grants.ts';
import { testHolding } from './holding.ts';
import { testLocked } from './locked.ts';
import { testNested } from './nested.ts';
import { testRandomRuns } from './random-runs.ts';
import { testReading } from './reading.ts';
import { testRecovery } from './recovery.ts';
import { testRule } from './rule.ts';
import { testRun } from './run.ts';
import { testSessions } from './sessions.ts';
import { testSets } from './sets.ts';
import { testSettled } from './settled.ts';
import { testSignals } from './signals.ts';
import { testSnapshots } from './snapshots.ts';
import { testSteal } from './steal.ts';
import { type Runner, Suite } from './suite.ts';
import { testUnits } from './units.ts';
import { testWaiting } from './waiting.ts';
import { testWeakening } from './weakening.ts';

export type { ConformanceBackend, Need, OpenBackend } from './backend.ts';
export * from './oracle.ts';
export type { Runner } from './suite.ts';

/**
 * Registers the whole suite with a runner. Every test opens the backend anew, and closes it.
 *
 * @param runner - The `describe` and `it` of a test runner.
 * @param backend - A way to open the backend, and its capabilities.
 * @waits Never. The tests run when the runner runs them.
 * @example
 * ```ts no-run
 * import { createDomain } from 'kds';
 * import { testConformance } from 'kds/conformance';
 * import { describe, it } from 'vitest';
 *
 * const backend = {
 *   name: 'my backend',
 *   capabilities: ['settled', 'downgrade', 'part-release', 'steal'] as const,
 *   sync: true,
 *   direct: true,
 *   open: async () => {
 *     const domain = createDomain();
 *     return { domain, close: () => domain.close() };
 *   },
 * };
 * testConformance({ describe, it }, backend);
 * ```
 * @since 0.1.0
 */
export function testConformance(runner: Runner, backend: ConformanceBackend): void {
  const suite = new Suite(runner, backend);
  suite.group(`${backend.name} conforms`, () => {
    testRule(suite);
    testSets(suite);
    testBadInput(suite);
    testReading(suite);
    testWaiting(suite);
    testSignals(suite);
    testCallbacks(suite);
    testCallbackObjects(suite);
    testContexts(suite);
    testRun(suite);
    testGrants(suite);
    testWeakening(suite);
    testRecovery(suite);
    testSteal(suite);
    testSettled(suite);
    testLocked(suite);
    testHolding(suite);
    testNested(suite);
    testUnits(suite);
    testSessions(suite);
    testEnding(suite);
    testSnapshots(suite);
    testClosing(suite);
    testRandomRuns(suite);
  });
}
