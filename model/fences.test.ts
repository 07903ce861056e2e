/**
 * The races of fences.
 *
 * In one event loop operations are atomic, so a race is the order of a few of them, and who does
 * what from within a callback: every order of small programs is run, beside the rule written
 * naively. In shared memory the steps are those of Atomics: every interleaving of the real code of
 * fence-word.ts (steps.ts), with time-outs at any moment, and agents that die before any step.
 */

import { describe, expect, it } from 'vitest';
import type { FenceCallback } from '../src/recipes/fences/callback-list.ts';
import { Fence } from '../src/recipes/fences/fence.ts';
import {
  blockOn,
  endWord,
  errorIn,
  type FenceSteps,
  hasEnded,
  setErrorIn,
} from '../src/recipes/fences/fence-word.ts';
import { type Agent, explore, type Program, portOf, type WordSteps, type World } from './steps.ts';

// ---------------------------------------------------------------------------------------------
// One event loop

type Operation =
  | 'signal'
  | 'fail'
  | 'fail again'
  | 'set an error'
  | 'add A'
  | 'remove A'
  | 'add B, which removes A'
  | 'add C, which signals'
  | 'wait'
  | 'abort the wait';

/** What has come of each callback and wait. */
type Fate = 'added' | 'refused' | 'ran' | 'removed';

/** Runs an order of operations, and says what is wrong with it. */
async function faultsOf(order: readonly Operation[]): Promise<string[]> {
  const fence = new Fence();
  const faults: string[] = [];
  const fates = new Map<string, Fate>();
  const listed = new Map<string, FenceCallback>();
  const controller = new AbortController();
  let wait: Promise<string> | undefined;
  let isEnded = false;
  let expectedError: string | undefined;

  const check = (isSo: boolean, what: string): void => {
    if (!isSo) faults.push(`${what}, in ${order.join(', ')}`);
  };
  const end = (did: boolean, error?: string): void => {
    check(did === !isEnded, 'who ended it is told so');
    if (!isEnded) expectedError ??= error;
    isEnded = true;
  };
  const remove = (name: string): void => {
    const callback = listed.get(name);
    if (callback === undefined) return;
    const removed = callback.remove();
    check(removed === (fates.get(name) === 'added'), `${name} is removed only if it has not run`);
    if (removed) fates.set(name, 'removed');
  };
  const add = (name: string, effect: () => void = () => {}): void => {
    const callback = fence.addCallback(() => {
      check(fates.get(name) === 'added', `${name} runs once, and only if it is there`);
      fates.set(name, 'ran');
      effect();
    });
    check((callback === null) === isEnded, `${name} is refused exactly after the end`);
    fates.set(name, callback === null ? 'refused' : 'added');
    if (callback !== null) listed.set(name, callback);
  };
  const operations: Record<Operation, () => void> = {
    signal: () => endBy(() => fence.signal()),
    fail: () => endBy(() => fence.fail('one'), 'one'),
    'fail again': () => endBy(() => fence.fail('two'), 'two'),
    'set an error': () => {
      check(fence.setError('set') === (!isEnded && expectedError === undefined), 'an error is set');
      if (!isEnded) expectedError ??= 'set';
    },
    'add A': () => add('A'),
    'remove A': () => remove('A'),
    'add B, which removes A': () => add('B', () => remove('A')),
    'add C, which signals': () => add('C', () => end(fence.signal())),
    wait: () => {
      const { signal } = controller;
      wait = fence.wait({ signal }).then(
        () => 'ok',
        (reason) => `rejected: ${reason}`,
      );
    },
    'abort the wait': () => controller.abort('abort'),
  };
  /** Callbacks run before the call returns: they are to find it ended. */
  function endBy(call: () => boolean, error?: string): void {
    const wasEnded = isEnded;
    if (!isEnded) expectedError ??= error;
    isEnded = true;
    check(call() === !wasEnded, 'who ended it is told so');
  }

  for (const each of order) operations[each]();

  const status = !isEnded ? 'pending' : expectedError === undefined ? 'ok' : 'error';
  check(fence.status === status, `it is ${status}`);
  check(!isEnded || fence.error === expectedError, `its error is ${expectedError}`);
  for (const [name, fate] of fates) {
    check(!isEnded || fate !== 'added', `${name} is seen exactly once, refused or removed`);
  }
  if (wait !== undefined) {
    // Whoever came first: whatever the other does afterwards makes no difference.
    const at = (operation: Operation): number => order.indexOf(operation);
    const ends = (['signal', 'fail', 'fail again'] as const).map(at).filter((index) => index >= 0);
    const ended = Math.min(...ends, Number.POSITIVE_INFINITY);
    const aborted = at('abort the wait');
    const isFirst = aborted >= 0 && (aborted < at('wait') || aborted < ended);
    const outcome = isFirst
      ? 'rejected: abort'
      : expectedError === undefined
        ? 'ok'
        : `rejected: ${expectedError}`;
    const never = !isFirst && !isEnded;
    if (!never) check((await wait) === outcome, `the wait came to ${await wait}, not ${outcome}`);
  }
  return faults;
}

/** Every order of every part of some operations, each at most once. */
function* ordersOf(
  operations: readonly Operation[],
  begun: readonly Operation[] = [],
): Generator<readonly Operation[]> {
  yield begun;
  for (const next of operations) {
    yield* ordersOf(
      operations.filter((each) => each !== next),
      [...begun, next],
    );
  }
}

describe('in one event loop, in every order, the end is seen exactly once or refused', () => {
  it.each<[string, readonly Operation[]]>([
    [
      'signal against add and remove, also from within callbacks',
      ['signal', 'add A', 'remove A', 'add B, which removes A', 'add C, which signals'],
    ],
    [
      'two failures and an error set before',
      ['signal', 'fail', 'fail again', 'set an error', 'add A', 'wait'],
    ],
    [
      'signal against a wait and its abort',
      ['signal', 'fail', 'set an error', 'wait', 'abort the wait', 'add A'],
    ],
  ])('%s', async (_, operations) => {
    let count = 0;
    for (const order of ordersOf(operations)) {
      count++;
      expect(await faultsOf(order)).toEqual([]);
    }
    expect(count).toBeGreaterThan(300);
  });
});

// ---------------------------------------------------------------------------------------------
// Shared memory

/** The fence, and what has come of the agents: 1 is seen, 2 is timed out. */
const FENCE = 0;
const FATES = 1;
const END = 8;
const SEEN = 1;
const TIMED_OUT = 2;

type Fault = (steps: WordSteps) => WordSteps;
const sound: Fault = (steps) => steps;

function portFor(agent: Agent, fault: Fault): FenceSteps {
  return portOf(fault(agent.words));
}

const noWords = new Int32Array(0);

/** Ends it with an error, or well; who was first notes how. */
function ender(error: number, fault: Fault): Program {
  return (agent) => {
    const isFirst = endWord(noWords, FENCE, error, portFor(agent, fault));
    agent.note((memory) => {
      if (isFirst && memory.get(END) !== 0) throw new Error('two have ended it');
      if (!hasEnded(memory.get(FENCE))) throw new Error('it has been ended, and is pending');
      if (isFirst) memory.set(END, memory.get(FENCE));
    });
  };
}

function dooming(error: number, fault: Fault): Program {
  return (agent) => {
    setErrorIn(noWords, FENCE, error, portFor(agent, fault));
  };
}

/** Blocks on it, and notes what it saw. */
function blocked(fault: Fault): Program {
  return (agent) => {
    const word = agent.summed('block', () =>
      blockOn(noWords, FENCE, () => 1, portFor(agent, fault)),
    );
    agent.note((memory) => {
      memory.set(FATES + agent.index, hasEnded(word) ? SEEN : TIMED_OUT);
      if (hasEnded(word) && word !== memory.get(FENCE)) throw new Error('it has changed since');
      if (!hasEnded(word) && hasEnded(memory.get(FENCE))) throw new Error('the end is not seen');
    });
  };
}

function worldOf(programs: readonly Program[], more: Partial<World> = {}): World {
  const fates = programs.map((_, index): [number, string] => [FATES + index, `fate ${index}`]);
  return {
    words: new Map([[FENCE, 'fence'], ...fates, [END, 'end']]),
    programs,
    atEnd: (memory) => {
      const end = memory.get(END);
      if (end !== 0 && memory.get(FENCE) !== end) throw new Error('it has changed after its end');
    },
    ...more,
  };
}

type Worlds = Record<string, (fault: Fault) => World>;

const worlds: Worlds = {
  'signal against a blocked wait': (fault) => worldOf([ender(0, fault), blocked(fault)]),
  'signal against two blocked waits': (fault) =>
    worldOf([ender(0, fault), blocked(fault), blocked(fault)]),
  'signal against a wait with a time-out': (fault) =>
    worldOf([ender(0, fault), blocked(fault)], { timeOuts: true }),
  'two signals with errors of their own against a wait': (fault) =>
    worldOf([ender(1, fault), ender(2, fault), blocked(fault)]),
  'an error set against a signal and a wait': (fault) =>
    worldOf([dooming(3, fault), ender(0, fault), ender(2, fault), blocked(fault)]),
  'signal, and one who waits with it dies': (fault) =>
    worldOf([ender(0, fault), blocked(fault), blocked(fault)], { mortals: [1] }),
};

describe('in shared memory, in every interleaving, a wait sees the end or its time-out', () => {
  it.each(Object.entries(worlds))('%s', (name, world) => {
    const { stateCount, endCount, failure } = explore(world(sound));
    console.info(`${name}: ${stateCount} states, ${endCount} ends`);
    expect(failure).toBeUndefined();
    expect(endCount).toBeGreaterThan(0);
  });

  it('what an agent has noted is what became of the fence', () => {
    const failure = explore(
      worldOf([ender(5, sound), blocked(sound)], {
        atEnd: (memory) => {
          if (errorIn(memory.get(FENCE)) !== 5) throw new Error('its error is another');
          if (memory.get(FATES + 1) !== SEEN) throw new Error('who waited has not seen it');
        },
      }),
    ).failure;
    expect(failure).toBeUndefined();
  });
});

const faults: Record<string, Fault> = {
  'does not wake who waits': (steps) => ({ ...bound(steps), notify: () => 0 }),
  'wakes one only': (steps) => ({ ...bound(steps), notify: (at) => steps.notify(at, 1) }),
  'ends it without comparing': (steps) => ({
    ...bound(steps),
    compareExchange: (at, expected, value) => {
      steps.store(at, value);
      return expected;
    },
  }),
  'takes a time-out for it, and does not check again': (steps) => {
    let looked = 0;
    let isTimedOut = false;
    return {
      ...bound(steps),
      load: (at) => {
        if (!isTimedOut) looked = steps.load(at);
        return looked;
      },
      wait: (at, value, timeoutMs) => {
        const result = steps.wait(at, value, timeoutMs);
        isTimedOut = result === 'timed-out';
        return result;
      },
    };
  },
  'sleeps without a check that it is still so': (steps) => ({
    ...bound(steps),
    wait: (at, value, timeoutMs) => {
      const now = steps.load(at);
      return steps.wait(at, now === value ? value : now, timeoutMs);
    },
  }),
};

describe('the worlds find out who', () => {
  it.each(Object.entries(faults))('%s', (_, fault) => {
    const failures = Object.values(worlds).map((world) => explore(world(fault)).failure);
    expect(failures.some((failure) => failure !== undefined)).toBe(true);
  });
});

function bound(steps: WordSteps): WordSteps {
  return {
    load: (at) => steps.load(at),
    store: (at, value) => steps.store(at, value),
    compareExchange: (at, expected, value) => steps.compareExchange(at, expected, value),
    exchange: (at, value) => steps.exchange(at, value),
    add: (at, value) => steps.add(at, value),
    wait: (at, value, timeoutMs) => steps.wait(at, value, timeoutMs),
    notify: (at, count) => steps.notify(at, count),
  };
}
