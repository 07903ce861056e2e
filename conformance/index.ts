/**
 * kds/conformance: what every host must do, as one suite.
 *
 * A host is given as a way to open it and a list of what it offers; what it does not offer is
 * skipped by name. The suite registers its tests with whatever runner it is given, goes through
 * the public interface alone, and never sleeps: `query()` is its fence. The {@link Oracle} is the
 * rule written naively, and the random runs compare the host with it, step by step.
 */

import { testBadInput } from './bad-input.ts';
import { testCallbackObjects } from './callback-objects.ts';
import { testCallbacks } from './callbacks.ts';
import { testClosing } from './closing.ts';
import { testContexts } from './contexts.ts';
import { testEnding } from './ending.ts';
import { testGrants } from './grants.ts';
import { testHolding } from './holding.ts';
import type { ConformanceHost } from './host.ts';
import { testLocked } from './locked.ts';
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
import { testWaiting } from './waiting.ts';
import { testWeakening } from './weakening.ts';

export type { ConformanceHost, Need, OpenHost } from './host.ts';
export * from './oracle.ts';
export type { Runner } from './suite.ts';

/**
 * Registers the whole suite with a runner: its `describe` and `it` are all that is used. Every test
 * opens the host afresh, and closes it.
 *
 * @example
 * ```ts no-run
 * import { createDomain } from 'kds';
 * import { testConformance } from 'kds/conformance';
 * import { describe, it } from 'vitest';
 *
 * const host = {
 *   name: 'my host',
 *   capabilities: ['settled', 'downgrade', 'part-release', 'steal'] as const,
 *   sync: true,
 *   direct: true,
 *   open: async () => {
 *     const domain = createDomain();
 *     return { domain, close: () => domain.close() };
 *   },
 * };
 * testConformance({ describe, it }, host);
 * ```
 */
export function testConformance(runner: Runner, host: ConformanceHost): void {
  const suite = new Suite(runner, host);
  suite.group(`${host.name} conforms`, () => {
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
    testSessions(suite);
    testEnding(suite);
    testSnapshots(suite);
    testClosing(suite);
    testRandomRuns(suite);
  });
}
