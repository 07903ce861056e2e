/**
 * The suite can fail: it detects backends that are broken on purpose. Each runs until its first
 * test fails. naive.test.ts checks that the same backend passes when it is not broken.
 */

import { testConformance } from 'kds/conformance';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Fault, faults } from './faulty-oracle.ts';
import { isTooLongForNaive, naiveBackend } from './naive-backend.ts';

interface Recorded {
  readonly name: string;
  readonly body: () => Promise<void>;
}

/** What the suite registers, with a runner that runs nothing yet. */
function testsOf(fault: Fault): readonly Recorded[] {
  const tests: Recorded[] = [];
  const register = (name: string, body: () => Promise<void>): void => {
    if (!isTooLongForNaive(name)) tests.push({ name, body });
  };
  const runner = {
    describe: (_: string, body: () => void) => body(),
    it: Object.assign(register, { skip: () => undefined }),
  };
  testConformance(runner, naiveBackend(fault));
  return tests;
}

/** Of the first test that fails. */
async function firstFailure(tests: readonly Recorded[]): Promise<string | undefined> {
  for (const { name, body } of tests) {
    try {
      await body();
    } catch (error) {
      return `${name}: ${(error as Error).message}`;
    }
  }
  return undefined;
}

/** Shorter time limits: a broken backend never reports some events. */
function cutPatienceShort(): void {
  const { setTimeout } = globalThis;
  const soon = (fn: () => void, delayMs: number) =>
    setTimeout(fn, delayMs >= 10_000 ? 1000 : delayMs);
  vi.stubGlobal('setTimeout', soon);
}

beforeEach(() => {
  vi.spyOn(console, 'info').mockImplementation(() => undefined);
  cutPatienceShort();
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

describe('a broken backend is detected', () => {
  it.each(faults)('where %s', async (fault) => {
    expect(await firstFailure(testsOf(fault))).toBeDefined();
  });
});

describe('random runs alone detect a broken backend', () => {
  const randomRun = (fault: Fault) =>
    testsOf(fault).filter(({ name }) => name.startsWith('the backend obeys the rule'));

  it.each(faults.slice(0, 5))('where %s', async (fault) => {
    vi.stubEnv('KDS_SHRINK', 'no');
    expect(await firstFailure(randomRun(fault))).toContain('repeat it with KDS_SEED=');
  });

  it('and print the few operations that it takes', async () => {
    const failure = await firstFailure(randomRun('readers overtake a waiting writer'));
    const operations = operationsIn(failure);
    expect(operations.length).toBeGreaterThan(1);
    expect(operations.length).toBeLessThan(8);
  });

  it('and the same seed and path repeat it', async () => {
    const first = await firstFailure(randomRun('a try barges past those who wait'));
    const [, seed = '', path = ''] = /KDS_SEED=(\d+) KDS_PATH=([\d:]+)/.exec(first ?? '') ?? [];
    vi.stubEnv('KDS_SEED', seed);
    vi.stubEnv('KDS_PATH', path);
    const second = await firstFailure(randomRun('a try barges past those who wait'));
    expect(operationsIn(second)).toEqual(operationsIn(first));
    expect(operationsIn(first)).not.toEqual([]);
  });
});

/** The lines of a failure that can be repeated. */
function operationsIn(failure: string | undefined): readonly string[] {
  return failure?.match(/^ {2}\{"do":.*\}$/gm) ?? [];
}
