/**
 * kds/playwright: tests that declare what they read and write, and so can run side by side, in all
 * workers and shards of a machine, with others that use the same.
 *
 * Sets are requested from the broker, so they also exclude tests of other runs, and `kds run`.
 */

import { test as base } from '@playwright/test';
import { InvalidSetError } from '../api/errors.ts';
import type { Grant } from '../api/grant.ts';
import type { ResourceRef } from '../api/sets.ts';
import type { UnitCount } from '../api/units.ts';
import { quote } from '../runtime/escape.ts';
import { domainOfTests, labelOf, specOf, type TestedSet, type TestedSpec } from './tested-set.ts';

export type { TestedSet } from './tested-set.ts';

/** Longer than any test should have to wait, in ms, apart from the time that the test has. */
const timeoutMs = 600_000;
/** Margin of the fixture's limit, so that the wait reports its own time-out. */
const fixtureMarginMs = 60_000;

/**
 * The option of Playwright's `test.use` and of a project.
 *
 * @since 0.1.0
 */
export interface HoldingOptions {
  /** The set of the tests of a file, a `describe` or a project. Default: `{}`. */
  readonly holds: TestedSet;
}

/**
 * The fixture of each test.
 *
 * @since 0.1.0
 */
export interface HoldingFixtures {
  /** Held from before the other fixtures of a test until after them. */
  readonly grant: Grant;
}

/**
 * Playwright's `test`, whose tests hold the sets that they declare while they run: by `test.use`,
 * or one by one by annotations `reads` and `writes`, each with one name, and `units`, with a number
 * and a name: `1 gpu`, or `1 of 4 gpu`, which asserts the capacity. They add up, and are acquired
 * at once; a `test.use` within another one replaces it. A test that declares nothing waits for
 * nothing. Each attempt of a retried test has a grant of its own. A test waits 10 minutes at
 * most, apart from its own time, and fails with InvalidSetError if a declaration is invalid.
 *
 * @waits Never; each test waits for its set in a fixture.
 * @example
 * ```ts no-run
 * import { test } from 'kds/playwright';
 *
 * test.use({ holds: { reads: 'catalogue' } });
 * test('checks out', { annotation: { type: 'writes', description: 'cart' } }, ({ grant }) => {
 *   console.log(grant.token);
 * });
 * ```
 * @since 0.1.0
 */
export const test = base.extend<HoldingFixtures & HoldingOptions>({
  holds: [{}, { option: true }],
  grant: [
    async ({ holds }, use, { annotations, titlePath }) => {
      const declared = (type: string): string[] =>
        annotations.flatMap((one) => (one.type === type ? [nameIn(one)] : []));
      const spec = specOf(holds);
      const set = {
        exclusive: [...spec.exclusive, ...declared('writes')],
        shared: [...spec.shared, ...declared('reads')],
      };
      const units = unitsWith(spec.units, declared('units'));
      const domain = await domainOfTests('playwright');
      const grant = await domain.acquire(units.size === 0 ? set : { ...set, units }, {
        timeoutMs,
        label: labelOf(titlePath),
      });
      try {
        await use(grant);
      } finally {
        await grant.release();
      }
    },
    { auto: true, timeout: timeoutMs + fixtureMarginMs },
  ],
});

/** Units by annotation replace those of `holds` for the same name. */
function unitsWith(
  units: TestedSpec['units'],
  annotations: readonly string[],
): ReadonlyMap<ResourceRef, UnitCount> {
  const all = new Map(units);
  for (const text of annotations) {
    const [, take, of, name] = /^(\d+) (?:of (\d+) )?(.+)$/s.exec(text) ?? [];
    if (take === undefined || name === undefined) {
      throw new InvalidSetError(
        `an annotation of type "units" has a number and a name, like "1 gpu" or "1 of 4 gpu", ` +
          `not ${quote(text)}`,
      );
    }
    all.set(name, of === undefined ? Number(take) : { take: Number(take), of: Number(of) });
  }
  return all;
}

/** @throws InvalidSetError where the name is missing: the test would run without its lock. */
function nameIn({ type, description }: { type: string; description?: string }): string {
  if (description !== undefined && description !== '') return description;
  throw new InvalidSetError(`an annotation of type "${type}" names its resource as "description"`);
}
