/**
 * kds/vitest: tests that declare what they read and write, and so can run side by side, in all
 * workers, with others that use the same.
 *
 * Sets are asked for of the broker, so also of tests of other runs, and of `kds run`.
 */

import { afterAll, afterEach, beforeAll, beforeEach, expect, type TestContext } from 'vitest';
import type { Grant } from '../domain/grant.ts';
import { domainOfTests, labelOf, specOf, type TestedSet } from './tested-set.ts';

export type { TestedSet } from './tested-set.ts';

export interface HoldOptions {
  /** How long to wait, in ms, apart from the time that the test has. Default 300,000. */
  readonly timeoutMs?: number | undefined;
}

const timeoutMsDefault = 300_000;
/** What a hook has besides, to tell what it has waited for in vain. */
const hookMarginMs = 10_000;

/** The grant of the test that runs. */
export interface HeldByTest {
  /** @throws Error outside of a test. */
  readonly grant: Grant;
}

/**
 * Each test of this `describe`, or file, runs while it holds the set. Waiting is done in a hook, so
 * it is no part of the test's time.
 *
 * @example
 * ```ts no-run
 * import { holdForEach } from 'kds/vitest';
 * import { describe, it } from 'vitest';
 *
 * describe('the users table', () => {
 *   const held = holdForEach({ writes: 'db', reads: 'config' });
 *   it('takes an import', () => console.log(held.grant.token));
 * });
 * ```
 */
export function holdForEach(set: TestedSet, options: HoldOptions = {}): HeldByTest {
  const { timeoutMs = timeoutMsDefault } = options;
  const held = new Held();
  beforeEach(async ({ task }) => {
    held.grant = await ask(set, timeoutMs, namesOf(task));
  }, timeoutMs + hookMarginMs);
  afterEach(() => held.letGo());
  return held;
}

/** The tests of this `describe`, or file, run while the set is held once for all of them. */
export function holdForAll(set: TestedSet, options: HoldOptions = {}): HeldByTest {
  const { timeoutMs = timeoutMsDefault } = options;
  const held = new Held();
  beforeAll(async () => {
    held.grant = await ask(set, timeoutMs, [expect.getState().testPath ?? '']);
  }, timeoutMs + hookMarginMs);
  afterAll(() => held.letGo());
  return held;
}

/**
 * A test's function that runs while it holds the set. Waiting is part of the test's time: when that
 * is over, it waits no more.
 *
 * @example
 * ```ts no-run
 * import { holding } from 'kds/vitest';
 * import { it } from 'vitest';
 *
 * it('imports users', holding({ writes: 'db' }, async ({ grant }) => {
 *   console.log(grant.token);
 * }), 60_000);
 * ```
 */
export function holding(
  set: TestedSet,
  run: (context: TestContext & { readonly grant: Grant }) => void | Promise<void>,
): (context: TestContext) => Promise<void> {
  return async (context) => {
    const domain = await domainOfTests('vitest');
    const { signal, task } = context;
    await domain.run(specOf(set), { signal, label: labelOf(namesOf(task)) }, (grant) =>
      run(Object.assign(Object.create(context), { grant })),
    );
  };
}

class Held implements HeldByTest {
  #grant: Grant | undefined;

  get grant(): Grant {
    if (this.#grant === undefined) throw new Error('no test runs that holds this set');
    return this.#grant;
  }

  set grant(grant: Grant) {
    this.#grant = grant;
  }

  async letGo(): Promise<void> {
    const grant = this.#grant;
    this.#grant = undefined;
    await grant?.release();
  }
}

async function ask(set: TestedSet, timeoutMs: number, names: readonly string[]): Promise<Grant> {
  const domain = await domainOfTests('vitest');
  return domain.acquire(specOf(set), { timeoutMs, label: labelOf(names) });
}

/** The file, the suites, and the test. */
function namesOf({ file, suite, name }: TestContext['task']): readonly string[] {
  const suites: string[] = [];
  for (let each = suite; each !== undefined; each = each.suite) suites.unshift(each.name);
  return [file.name, ...suites, name];
}
