/**
 * What tests and suites hold: an entry per declaration and test, from the request to the release.
 *
 * A test asks for a set while it holds those of the declarations around it. A name that stands in
 * two of them, written in one, would wait for itself: that is refused before anything is requested.
 * A name that both only read is not requested again. Nor may two of them take units of the same
 * name, as another test could take units in between. All else is refused by the broker where it
 * would close a cycle, as the request declares what the test holds.
 */

import { DeadlockError } from '../api/errors.ts';
import type { Grant } from '../api/grant.ts';
import type { ResourceRef } from '../api/sets.ts';
import { quote } from '../runtime/escape.ts';
import { domainOfTests, type TestedSpec } from './tested-set.ts';

/** A test, a suite or a file, as the runner knows it. */
export interface TestTask {
  readonly mode?: string | undefined;
  readonly result?: { readonly duration?: number | undefined } | undefined;
  readonly suite?: TestTask | undefined;
  readonly file?: TestTask | undefined;
}

export interface HoldTerms {
  readonly timeoutMs?: number | undefined;
  /** Ends the wait; has no effect once granted. */
  readonly signal?: AbortSignal | undefined;
  readonly label: string;
}

const holdings = new WeakMap<TestTask, Set<TestHolding>>();
const live = new Set<TestHolding>();

/** One declaration's grant for one attempt of one test, or for one suite. */
export class TestHolding {
  readonly task: TestTask;
  readonly spec: TestedSpec;
  readonly #ended = new AbortController();
  #grant: Grant | undefined;

  constructor(task: TestTask, spec: TestedSpec) {
    this.task = task;
    this.spec = spec;
  }

  get grant(): Grant | undefined {
    return this.#grant;
  }

  /**
   * Waits for the set, with what the test holds already declared.
   *
   * @throws DeadlockError where the test would wait for itself.
   */
  async acquire({ timeoutMs, signal, label }: HoldTerms): Promise<Grant> {
    const around = holdingsAround(this.task);
    const spec = withoutHeld(this.spec, around);
    register(this);
    try {
      const domain = await domainOfTests('vitest');
      const signals = [this.#ended.signal, ...(signal === undefined ? [] : [signal])];
      const grant = await domain.acquire(spec, {
        timeoutMs,
        label,
        signal: AbortSignal.any(signals),
        holding: around.flatMap((one) => one.#grant ?? []),
      });
      // Ended, and granted before the abort arrived.
      if (this.#ended.signal.aborted) await grant.release();
      else this.#grant = grant;
      return grant;
    } catch (error) {
      deregister(this);
      throw error;
    }
  }

  /** The test is over, but not the function that it runs: the grant stays until `end`. */
  detach(): void {
    deregister(this);
  }

  /** Ends a wait, or releases the grant. Does nothing the second time. */
  async end(): Promise<void> {
    deregister(this);
    this.#ended.abort(new DOMException('the test has ended', 'AbortError'));
    const grant = this.#grant;
    this.#grant = undefined;
    await grant?.release();
  }
}

/**
 * Ends holdings of tests and suites that are over. Runners skip hooks in some cases, such as after
 * a failed hook: what those would have released must not block the next test.
 */
export async function endStale(): Promise<void> {
  for (const holding of [...live]) if (isOver(holding.task)) await holding.end();
}

function isOver({ mode, result }: TestTask): boolean {
  return mode === 'skip' || result?.duration !== undefined;
}

function register(holding: TestHolding): void {
  live.add(holding);
  const ofTask = holdings.get(holding.task) ?? new Set();
  holdings.set(holding.task, ofTask.add(holding));
}

function deregister(holding: TestHolding): void {
  live.delete(holding);
  holdings.get(holding.task)?.delete(holding);
}

/** Those of the test itself, of its suites and of its file. */
function holdingsAround(task: TestTask): readonly TestHolding[] {
  const around = new Set<TestHolding>();
  for (let each: TestTask | undefined = task; each !== undefined; each = outerOf(each)) {
    for (const holding of holdings.get(each) ?? []) around.add(holding);
  }
  return [...around];
}

function outerOf(task: TestTask): TestTask | undefined {
  const outer = task.suite ?? task.file;
  return outer === task ? undefined : outer;
}

/** The part of a set that is to be requested. */
function withoutHeld(spec: TestedSpec, around: readonly TestHolding[]): TestedSpec {
  const keysOf = (refsOf: (spec: TestedSpec) => Iterable<ResourceRef>): ReadonlySet<ResourceRef> =>
    new Set(around.flatMap((holding) => [...refsOf(holding.spec)].map(keyOf)));
  const unitsOf = ({ units }: TestedSpec): Iterable<ResourceRef> => units?.keys() ?? [];
  const written = keysOf(({ exclusive }) => exclusive);
  const read = keysOf(({ shared }) => shared);
  const taken = keysOf(unitsOf);
  const refuse = (refs: Iterable<ResourceRef>, held: readonly ReadonlySet<ResourceRef>[]): void => {
    for (const ref of refs)
      if (held.some((keys) => keys.has(keyOf(ref)))) throw waitsForItself(ref);
  };
  refuse(spec.exclusive, [written, read, taken]);
  refuse(unitsOf(spec), [written, read, taken]);
  refuse(spec.shared, [written, taken]);
  return { ...spec, shared: spec.shared.filter((ref) => !read.has(keyOf(ref))) };
}

function keyOf(ref: ResourceRef): ResourceRef {
  return typeof ref === 'string' ? ref : (ref.name ?? ref);
}

function waitsForItself(ref: ResourceRef): DeadlockError {
  const key = keyOf(ref);
  const name = typeof key === 'string' ? quote(key) : 'a resource without a name';
  return new DeadlockError(
    `deadlock: the test would wait for ${name}, which it holds itself by another holdForEach, ` +
      `holdForAll or holding around it. Declare ${name} in one of them only.`,
  );
}
