/** Fake timers of each kind, with all or some of the parts faked. */

import { mock } from 'node:test';
import { vi } from 'vitest';

export interface FakeTimers {
  install(): void;
  /** So much time passes, by what is faked. */
  pass(ms: number): void;
  restore(): void;
}

type Part = NonNullable<NonNullable<Parameters<typeof vi.useFakeTimers>[0]>['toFake']>[number];

/** The library of vitest, sinon and jest. */
function sinon(...toFake: readonly Part[]): FakeTimers {
  return {
    install: () => void vi.useFakeTimers(toFake.length === 0 ? {} : { toFake: [...toFake] }),
    pass: (ms) => void vi.advanceTimersByTime(ms),
    restore: () => void vi.useRealTimers(),
  };
}

type Api = 'setTimeout' | 'setInterval' | 'setImmediate' | 'Date';

function nodeTest(...apis: readonly Api[]): FakeTimers {
  return {
    install: () => mock.timers.enable({ apis: [...apis] }),
    pass: (ms) => mock.timers.tick(ms),
    restore: () => mock.timers.reset(),
  };
}

/** What jest fakes, less `nextTick`, which vitest does not fake in a process of its own. */
const ofJest: readonly Part[] = [
  'Date',
  'hrtime',
  'performance',
  'queueMicrotask',
  'setImmediate',
  'clearImmediate',
  'setInterval',
  'clearInterval',
  'setTimeout',
  'clearTimeout',
];

/** By name; each fakes `setTimeout`. */
export const fakeTimers: Readonly<Record<string, FakeTimers>> = {
  'all of vitest': sinon(),
  'all of jest': sinon(...ofJest),
  'setTimeout only': sinon('setTimeout'),
  'setTimeout and clearTimeout': sinon('setTimeout', 'clearTimeout'),
  'setTimeout and Date': sinon('setTimeout', 'Date'),
  'setTimeout and performance': sinon('setTimeout', 'performance'),
  'setTimeout of node:test': nodeTest('setTimeout'),
  'setTimeout and Date of node:test': nodeTest('setTimeout', 'Date'),
  'all of node:test': nodeTest('setTimeout', 'setInterval', 'setImmediate', 'Date'),
};

/** By name; none fakes `setTimeout`. */
export const fakeClocks: Readonly<Record<string, FakeTimers>> = {
  'Date only': sinon('Date'),
  'performance only': sinon('performance'),
  'Date and performance': sinon('Date', 'performance'),
  'Date of node:test': nodeTest('Date'),
};

const realSetTimeout = setTimeout;

/** Real time passes. */
export function realTime(ms: number): Promise<void> {
  return new Promise((resolve) => realSetTimeout(resolve, ms));
}

/** What can be told without any time passing has been. */
export async function microtasks(): Promise<void> {
  for (let count = 0; count < 20; count++) await undefined;
}
