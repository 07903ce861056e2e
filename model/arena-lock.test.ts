/**
 * Every interleaving of the atomic steps of two and three agents that share an arena: the lock,
 * deaths at any step, the doorbells, and interruptions. And that what is wrong would be found.
 *
 * With KDS_MODEL=large the larger worlds are walked too, which takes some three minutes and three
 * gigabytes.
 */

import { describe, expect, it } from 'vitest';
import { type Fault, lockWorld, newcomerWorld, queueWorld, waited } from './arena-worlds.ts';
import { explore, type World } from './steps.ts';

type NamedWorld = readonly [name: string, world: World];

const noSpin = { spinCount: 0 };
const marked = { ...noSpin, deaths: 1, undertaker: 'marks', timeOuts: true } as const;
const early = { lock: 'simple', wakesEarly: true, timeOuts: true } as const;
const buried = { ...noSpin, deaths: 1, undertaker: 'buries' } as const;

const everyDay: readonly NamedWorld[] = [
  ['two agents take the lock twice', lockWorld([{ times: 2 }, { times: 2 }])],
  ['three agents take the lock', lockWorld([{}, {}, {}], noSpin)],
  ['one of three may not sleep', lockWorld([{ times: 2 }, { maySleep: false }, {}], noSpin)],
  ['one of three loses patience', lockWorld([{ times: 2 }, { mayGiveUp: true }, {}])],
  ['one of two dies, and is marked', lockWorld([{}, {}], marked)],
  ['one of two dies, and is buried', lockWorld([{}, {}], buried)],
  ['two of three die', lockWorld([{}, {}, {}], { ...marked, deaths: 2 })],
  ['one dies where one may not sleep', lockWorld([{}, { maySleep: false }, {}], marked)],
  ['a newcomer gets the place of the dead', newcomerWorld(1)],
  ['two queue for a resource', queueWorld([{}, {}], noSpin)],
  ['two queue for a resource twice', queueWorld([{ times: 2 }, { times: 2 }], noSpin)],
  ['two wake early', queueWorld([{ times: 2 }, { times: 2 }], { ...noSpin, ...early })],
  ['one of two who wake early dies', queueWorld([{}, {}], { ...buried, ...early })],
  ['one of two in the queue dies, and is marked', queueWorld([{}, {}], marked)],
  ['one of two in the queue dies, and is buried', queueWorld([{}, {}], buried)],
  [
    'one waits in its event loop, the other by messages',
    queueWorld([{ waits: 'in its event loop' }, { waits: 'for messages' }], noSpin),
  ],
  [
    'one is interrupted as it waits',
    queueWorld([{}, {}, { acquires: false, interrupts: 1 }], { ...noSpin, interrupts: true }),
  ],
];

const large: readonly NamedWorld[] = [
  ['three queue for a resource', queueWorld([{}, {}, {}], noSpin)],
  ['the first of three in the queue dies', queueWorld([{}, {}, {}], { ...marked, mortals: [0] })],
  [
    'one of three is interrupted by one who queues too',
    queueWorld([{}, {}, { interrupts: 1 }], { ...noSpin, interrupts: true }),
  ],
];

const worlds = process.env['KDS_MODEL'] === 'large' ? [...everyDay, ...large] : everyDay;

describe('nobody is let in early, and nobody sleeps for ever, where', () => {
  it.each(worlds)('%s', { timeout: 3_600_000 }, (name, world) => {
    const { stateCount, transitionCount, endCount, failure } = explore(world);
    console.info(`${name}: ${stateCount} states, ${transitionCount} transitions, ${endCount} ends`);
    expect(failure).toBeUndefined();
    expect(endCount).toBeGreaterThan(0);
  });
});

/** A step that is done otherwise. */
const faults: Record<string, Fault> = {
  'does not wake who waits for the lock': (steps) => ({ ...bound(steps), notify: () => 0 }),
  'forgets that others sleep too': (steps) => ({
    ...bound(steps),
    compareExchange: (at, expected, value) =>
      steps.compareExchange(at, expected, expected === 0 ? value & ~waited : value),
  }),
  'takes the lock without comparing': (steps) => ({
    ...bound(steps),
    compareExchange: (at, expected, value) => {
      if (steps.load(at) !== expected) return expected === 0 ? -1 : expected + 1;
      steps.store(at, value);
      return expected;
    },
  }),
};

describe('the worlds find out who', () => {
  it.each(Object.entries(faults))('%s', (_, fault) => {
    expect(explore(lockWorld([{}, {}, {}], { ...noSpin, fault })).failure).toBeDefined();
  });

  it.each([
    'rings before the hand-over',
    'reads after the check',
    'believes a report on an earlier request',
  ] as const)('%s', (wrong) => {
    const twice = [{ times: 2 }, { times: 2 }];
    const failure =
      explore(queueWorld(twice, { ...noSpin, wrong })).failure ??
      explore(queueWorld(twice, { ...noSpin, ...early, wrong })).failure;
    expect(failure).toBeDefined();
  });

  it('does not distinguish newcomers from the dead before them', () => {
    expect(explore(newcomerWorld(0)).failure?.what).toContain('two have the lock');
  });

  it.each(['waking all', 'ringing all', 'rolling back'] as const)(
    'omits %s as it reaps',
    (omits) => {
      const options = { ...buried, omits };
      const failures = [lockWorld([{}, {}, {}], options), queueWorld([{}, {}], options)].map(
        (world) => explore(world).failure,
      );
      expect(failures.some((failure) => failure !== undefined)).toBe(true);
    },
  );
});

function bound(steps: Parameters<Fault>[0]): Parameters<Fault>[0] {
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
