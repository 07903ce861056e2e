/**
 * kds/playwright: tests that declare what they read and write, and so can run side by side, in all
 * workers and shards of a machine, with others that use the same.
 *
 * Sets are asked for of the broker, so also of tests of other runs, and of `kds run`.
 */

import { test as base } from '@playwright/test';
import type { Grant } from '../domain/grant.ts';
import { domainOfTests, labelOf, specOf, type TestedSet } from './tested-set.ts';

export type { TestedSet } from './tested-set.ts';

/** Longer than any test should have to wait, in ms, apart from the time that the test has. */
const timeoutMs = 600_000;

export interface HoldingOptions {
  /** For the tests of a file, a `describe` or a project. */
  readonly holds: TestedSet;
}

export interface HoldingFixtures {
  /** Held from before the other fixtures of a test until after them. */
  readonly grant: Grant;
}

/**
 * Playwright's `test`, whose tests hold what they declare while they run: by `test.use`, or one by
 * one by annotations `reads` and `writes`, each with one name. The two add up. A test that declares
 * nothing waits for nobody.
 *
 * @example
 * ```ts no-run
 * import { test } from 'kds/playwright';
 *
 * test.use({ holds: { reads: 'catalogue' } });
 * test('checks out', { annotation: { type: 'writes', description: 'cart' } }, ({ grant }) => {
 *   console.log(grant.token);
 * });
 * ```
 */
export const test = base.extend<HoldingFixtures & HoldingOptions>({
  holds: [{}, { option: true }],
  grant: [
    async ({ holds }, use, { annotations, titlePath }) => {
      const declared = (type: string): string[] =>
        annotations.flatMap((one) => (one.type === type ? [one.description ?? ''] : []));
      const reads = [...listOf(holds.reads), ...declared('reads')];
      const writes = [...listOf(holds.writes), ...declared('writes')];
      const domain = await domainOfTests('playwright');
      const set = specOf({ reads, writes });
      const grant = await domain.acquire(set, { label: labelOf(titlePath) });
      await use(grant);
      await grant.release();
    },
    { auto: true, timeout: timeoutMs },
  ],
});

function listOf<T>(value: T | readonly T[] | undefined): readonly T[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? (value as readonly T[]) : [value as T];
}
