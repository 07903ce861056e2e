/**
 * The suite can fail: hosts that are broken on purpose are found out. Each is tried until the first
 * of its tests fails. That the same host passes when it is not broken is in naive.test.ts.
 */

import { testConformance } from 'kds/conformance';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Fault, faults } from './faulty-oracle.ts';
import { isTooLongForNaive, naiveHost } from './naive-host.ts';

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
  testConformance(runner, naiveHost(fault));
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

/** What a broken host never does is not waited for as long as one far away may take. */
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

describe('a host is found out', () => {
  it.each(faults)('where %s', async (fault) => {
    expect(await firstFailure(testsOf(fault))).toBeDefined();
  });
});

describe('random runs alone find out a host', () => {
  const randomRun = (fault: Fault) =>
    testsOf(fault).filter(({ name }) => name.startsWith('the host does what the rule says'));

  it.each(faults.slice(0, 5))('where %s', async (fault) => {
    vi.stubEnv('KDS_SHRINK', 'no');
    expect(await firstFailure(randomRun(fault))).toContain('repeat it with KDS_SEED=');
  });

  it('and tell the few operations that it takes', async () => {
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
