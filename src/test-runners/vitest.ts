/**
 * kds/vitest: tests that declare what they read and write, and so can run side by side, in all
 * workers, with others that use the same.
 *
 * Sets are requested from the broker, so they also exclude tests of other runs, and `kds run`.
 */

import { AsyncLocalStorage } from 'node:async_hooks';
import type { TestContext } from 'vitest';
import * as vitest from 'vitest';
import type { Grant } from '../api/grant.ts';
import { endStale, TestHolding, type TestTask } from './test-holdings.ts';
import { labelOf, specOf, type TestedSet } from './tested-set.ts';

export type { TestedSet } from './tested-set.ts';

/**
 * Options of {@link holdForEach} and {@link holdForAll}.
 *
 * @since 0.1.0
 */
export interface HoldOptions {
  /**
   * Time limit of the wait, ms, apart from the time that the test has: 0 or more. Default 300,000.
   */
  readonly timeoutMs?: number | undefined;
}

const timeoutMsDefault = 300_000;
/** Margin of a hook's limit, so that the wait reports its own time-out. */
const hookMarginMs = 60_000;

/**
 * The grants of a declaration: each test has its own, or all tests of a suite share one.
 *
 * @example
 * ```ts no-run
 * import { holdForEach } from 'kds/vitest';
 * import { it } from 'vitest';
 *
 * const held = holdForEach({ reads: 'config' });
 * it.concurrent('imports', (context) => console.log(held.of(context).token));
 * ```
 * @since 0.1.0
 */
export interface HeldByTest {
  /**
   * The grant of the test that runs. Vitest before 4.1 does not report which of several concurrent
   * tests that is: use {@link of} there. Throws an Error outside of a test, or if several tests
   * hold this set.
   */
  readonly grant: Grant;
  /**
   * Returns the grant of the test with this context.
   *
   * @param context - The context that vitest passes to the test.
   * @throws Error if the test does not hold this set.
   * @waits Never.
   * @since 0.2.0
   */
  of(context: Pick<TestContext, 'task'>): Grant;
}

/** What only some of the supported versions of vitest have: `aroundEach` since 4.1. */
interface Around {
  readonly aroundEach?: (
    fn: (runTest: () => Promise<void>, context: Pick<TestContext, 'task'>) => Promise<void>,
  ) => void;
  readonly aroundAll?: (fn: (runSuite: () => Promise<void>) => Promise<void>) => void;
}
const { aroundEach, aroundAll } = vitest as Around;

/** The test that runs, where vitest lets us wrap it. */
const running = new AsyncLocalStorage<TestTask>();

/**
 * Holds the set while each test of this `describe`, or file, runs: from this hook on, in the hooks
 * after it, until all hooks of the test are through. Waiting is no part of the test's time.
 * Concurrent tests each hold a grant of their own. A test fails with {@link DeadlockError}, and
 * waits for nothing, if a declaration around it holds one of the names already, and either writes
 * it.
 *
 * @param set - The resources that each test reads and writes, by name.
 * @param options - The time limit of the wait.
 * @returns The grants, for the tests.
 * @throws {@link InvalidSetError} if the set is invalid, has another key, or an empty name.
 * @waits Never; each test waits in a hook before it, at most `timeoutMs`.
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
 * @since 0.1.0
 */
export function holdForEach(set: TestedSet, options: HoldOptions = {}): HeldByTest {
  const { timeoutMs = timeoutMsDefault } = options;
  const spec = specOf(set);
  const held = new HeldForEach();
  aroundEach?.((runTest, { task }) => running.run(task, runTest));
  vitest.beforeEach(async (context) => {
    await endStale();
    const { task } = context;
    const holding = new TestHolding(task, spec);
    held.begin(holding);
    // Not in afterEach: vitest leaves those out behind one that fails.
    context.onTestFinished(() => held.end(holding));
    await holding.acquire({ timeoutMs, signal: signalOf(context), label: labelOf(namesOf(task)) });
  }, timeoutMs + hookMarginMs);
  vitest.afterAll(endStale);
  return held;
}

/**
 * Holds the set once for all tests of this `describe`, or file.
 *
 * @param set - The resources that the tests read and write, by name.
 * @param options - The time limit of the wait.
 * @returns The grant, for the tests.
 * @throws {@link InvalidSetError} as {@link holdForEach}.
 * @waits Never; the suite waits in a hook before its tests, at most `timeoutMs`.
 * @example
 * ```ts no-run
 * import { holdForAll } from 'kds/vitest';
 * import { describe, it } from 'vitest';
 *
 * describe('the users table', () => {
 *   const held = holdForAll({ writes: 'db' });
 *   it('takes an import', () => console.log(held.grant.token));
 * });
 * ```
 * @since 0.1.0
 */
export function holdForAll(set: TestedSet, options: HoldOptions = {}): HeldByTest {
  const { timeoutMs = timeoutMsDefault } = options;
  const spec = specOf(set);
  let holding: TestHolding | undefined;
  const end = (): Promise<void> => holding?.end() ?? Promise.resolve();
  vitest.beforeAll(async function begin() {
    // The suite is the only argument, or since 4.1 the one behind a context. No parameter can be
    // declared that both accept: vitest reads them from the text of the function.
    // biome-ignore lint/complexity/noArguments: see above
    const suite = Array.from(arguments).at(-1) as NamedTask;
    await endStale();
    holding = new TestHolding(suite, spec);
    await holding.acquire({ timeoutMs, label: labelOf(namesOf(suite)) });
  }, timeoutMs + hookMarginMs);
  // Where vitest has no hook around a suite, one of afterAll: it is left out behind one that fails.
  if (aroundAll === undefined) vitest.afterAll(end);
  else aroundAll((runSuite) => runSuite().finally(end));
  const grant = (): Grant => {
    return heldGrant(holding);
  };
  return {
    of: grant,
    get grant() {
      return grant();
    },
  };
}

/**
 * Makes a test's function that runs while it holds the set. Waiting is part of the test's time:
 * when that is over, it waits no more. `it.each` and `it.for` do not pass a context as the first
 * argument: use {@link holdForEach} there.
 *
 * @param set - The resources that the test reads and writes, by name.
 * @param run - The test, called with its context and the grant.
 * @returns The function for `it`. It rejects with TypeError without a context, and with
 * DeadlockError as a test of {@link holdForEach}.
 * @throws {@link InvalidSetError} as {@link holdForEach}.
 * @waits Never; the test itself waits for the set, within its time.
 * @example
 * ```ts no-run
 * import { holding } from 'kds/vitest';
 * import { it } from 'vitest';
 *
 * it('imports users', holding({ writes: 'db' }, async ({ grant }) => {
 *   console.log(grant.token);
 * }), 60_000);
 * ```
 * @since 0.1.0
 */
export function holding(
  set: TestedSet,
  run: (context: TestContext & { readonly grant: Grant }) => void | Promise<void>,
): (context: TestContext) => Promise<void> {
  const spec = specOf(set);
  return async (context) => {
    const task: NamedTask | undefined = context?.task;
    if (task === undefined) {
      throw new TypeError(
        'holding() needs the context of the test as its first argument, which it.each and it.for ' +
          'do not pass: use holdForEach()',
      );
    }
    const holding = new TestHolding(task, spec);
    let isRunning = false;
    // Also where the test is over by its time limit: one that waits waits no more; a function that
    // runs on keeps its grant until it ends, as it may write what it has declared until then.
    context.onTestFinished(() => (isRunning ? holding.detach() : holding.end()));
    const grant = await holding.acquire({
      signal: signalOf(context),
      label: labelOf(namesOf(task)),
    });
    isRunning = true;
    try {
      await run(Object.assign(Object.create(context), { grant }));
    } finally {
      await holding.end();
    }
  };
}

class HeldForEach implements HeldByTest {
  readonly #holdings = new Map<TestTask, TestHolding>();

  begin(holding: TestHolding): void {
    this.#holdings.set(holding.task, holding);
  }

  async end(holding: TestHolding): Promise<void> {
    if (this.#holdings.get(holding.task) === holding) this.#holdings.delete(holding.task);
    await holding.end();
  }

  get grant(): Grant {
    const task = running.getStore();
    if (task !== undefined && this.#holdings.has(task)) return this.#of(task);
    const tasks = [...this.#holdings.values()].flatMap(({ grant, task }) => (grant ? [task] : []));
    if (tasks.length > 1) {
      throw new Error(
        'several concurrent tests hold this set: ask for the grant of one with held.of(context)',
      );
    }
    return this.#of(tasks[0]);
  }

  of({ task }: Pick<TestContext, 'task'>): Grant {
    return this.#of(task);
  }

  #of(task: TestTask | undefined): Grant {
    return heldGrant(task && this.#holdings.get(task));
  }
}

/** Aborts as a run is cancelled, since vitest 3.2. Of a retried test it may have aborted before. */
function signalOf({ signal }: { readonly signal?: AbortSignal }): AbortSignal | undefined {
  return signal?.aborted ? undefined : signal;
}

interface NamedTask extends TestTask {
  readonly name: string;
  readonly suite?: NamedTask | undefined;
  readonly file?: NamedTask | undefined;
}

/** The file, the suites, and the test. */
function namesOf(task: NamedTask): readonly string[] {
  const names: string[] = [];
  for (let each: NamedTask | undefined = task; each !== undefined; each = outerOf(each)) {
    names.unshift(each.name);
  }
  return names;
}

function outerOf(task: NamedTask): NamedTask | undefined {
  const outer = task.suite ?? task.file;
  return outer === task ? undefined : outer;
}

/** @throws Error outside of a test that holds the set. */
function heldGrant(holding: TestHolding | undefined): Grant {
  if (holding?.grant === undefined) throw new Error('no test holds this set now');
  return holding.grant;
}
