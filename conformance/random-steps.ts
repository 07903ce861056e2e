/**
 * Random operations for a {@link Pair}: each is a few numbers that mean something in any state, so
 * that a run that fails can be cut down to the operations it takes.
 */

import type * as FastCheck from 'fast-check';
import { type ConformanceBackend, type Need, offers } from './backend.ts';
import type { Oracle, OracleSet, OracleSpec, OracleUnits } from './oracle.ts';
import { clientOf, type Operation, type Way } from './pair.ts';
import type { Standing } from './standing.ts';

export interface Step {
  readonly kind: Operation['do'];
  readonly way: Way;
  readonly by: number;
  /**
   * Resources by number; from the count of names on, shared; then units. The same one may come
   * again.
   */
  readonly wanted: readonly number[];
  /** Which set. */
  readonly index: number;
  readonly yes: boolean;
  readonly locked: 'wait' | 'fail' | 'ignore';
  readonly holding: readonly number[];
}

const names: readonly string[] = ['a', 'b', 'c', 'd'];
/** Capacities that resources get. */
const capacityMax = 4;
const setSizeMax = 4;
/** So many sets live at a time: enough for long queues, few enough to be compared often. */
const setCountMax = 12;

/** The weight of each step, and the feature that it needs. */
const kinds: readonly (readonly [Operation['do'], number, Need?])[] = [
  ['ask', 50],
  ['release', 26],
  ['cancel', 8],
  ['downgrade', 5, 'downgrade'],
  ['release part', 5, 'part-release'],
  ['steal', 2, 'steal'],
  ['observe', 3, 'settled'],
  ['close', 1],
  ['resize', 6, 'units'],
  ['downgrade units', 3, 'units'],
  ['upgrade', 3, 'units'],
];
const ways: readonly (readonly [Way, number, Need?])[] = [
  ['promise', 6],
  ['queued', 4],
  ['direct', 4],
  ['try', 2],
  ['now', 2],
  ['sync', 3, 'sync'],
];

export function aStep(
  fc: typeof FastCheck,
  backend: ConformanceBackend,
  participantCount: number,
): FastCheck.Arbitrary<Step> {
  const oneOf = <T>(choices: readonly (readonly [T, number, Need?])[]) => {
    const offered = choices.filter(([, , need]) => need === undefined || offers(backend, need));
    return fc.oneof(
      ...offered.map(([value, weight]) => ({ weight, arbitrary: fc.constant(value) })),
    );
  };
  return fc.record({
    kind: oneOf(kinds),
    way: oneOf(ways),
    by: fc.nat(participantCount - 1),
    wanted: fc.array(fc.nat((offers(backend, 'units') ? 3 : 2) * names.length - 1), {
      maxLength: setSizeMax,
      size: 'max',
    }),
    index: fc.nat(999),
    yes: fc.boolean(),
    locked: fc.constantFrom('wait', 'wait', 'fail', 'ignore'),
    holding: fc.array(fc.nat(99), { maxLength: 2 }),
  });
}

/** What the step means now; nothing, if there is nobody to do it to or no room for another set. */
export function operationOf(step: Step, oracle: Oracle<Standing>): Operation | undefined {
  const { kind, by } = step;
  switch (kind) {
    case 'ask':
    case 'steal':
    case 'observe':
      return oracle.live.length < setCountMax ? arrivalOf(step, oracle) : undefined;
    case 'close':
      return { do: 'close', by };
    case 'resize': {
      const name = names[step.index % names.length] as string;
      return { do: 'resize', by, name, capacity: 1 + (step.index % capacityMax) };
    }
    default:
      return changeOf(step, oracle);
  }
}

function arrivalOf(step: Step, oracle: Oracle<Standing>): Operation {
  const { kind, way, by, locked } = step;
  const spec = specOf(step);
  if (kind === 'steal') return { do: 'steal', by, spec: { exclusive: spec.exclusive ?? [] } };
  if (kind === 'observe') return { do: 'observe', by, spec: observable(spec, oracle) };
  // A grant is of use only with the client that it was granted to.
  const holders = indexesOf(oracle, true).filter(
    (index) => clientOf(oracle.live[index]?.tag?.by) === clientOf(by),
  );
  const holding = step.holding.flatMap((number) => holders[number % holders.length] ?? []);
  return { do: 'ask', way, by, spec, locked, holding };
}

function changeOf(step: Step, oracle: Oracle<Standing>): Operation | undefined {
  const { kind, yes } = step;
  const indexes = indexesOf(oracle, kind !== 'cancel');
  const index = indexes[step.index % indexes.length];
  if (index === undefined) return undefined;
  if (kind === 'cancel') return { do: 'cancel', index };
  if (kind === 'release') return { do: 'release', index, isAbandoned: step.index % 5 === 0 };
  const own = [...(oracle.live[index]?.modes.keys() ?? [])];
  const wanted = step.wanted.map((number) => names[number % names.length]);
  const part = own.filter((name) => wanted.includes(name));
  if (kind === 'downgrade') return yes ? { do: kind, index } : { do: kind, index, part };
  if (kind === 'upgrade') return yes ? { do: kind, index } : { do: kind, index, part };
  if (kind === 'downgrade units') {
    const set = oracle.live[index] as OracleSet<Standing>;
    const units = unitsLeft(set, oracle, own, step.index);
    return Object.keys(units).length === 0 ? undefined : { do: kind, index, units };
  }
  return part.length > 0 ? { do: 'release part', index, part } : undefined;
}

/** Of those who hold, or of those who wait, observers among them. */
function indexesOf(oracle: Oracle<Standing>, granted: boolean): readonly number[] {
  return oracle.live.flatMap((set, index) => (set.granted === granted ? [index] : []));
}

function specOf({ wanted, index, yes }: Step): OracleSpec {
  const name = (number: number) => names[number % names.length] ?? '';
  const isUnits = (number: number) => number >= 2 * names.length;
  const take = 1 + (index % 3);
  const units = wanted.filter(isUnits).map((number): [string, OracleUnits] => {
    return [name(number), yes ? take : { take, of: 1 + ((index >> 2) % capacityMax) }];
  });
  return {
    exclusive: wanted.filter((number) => number < names.length).map(name),
    shared: wanted.filter((number) => number >= names.length && !isUnits(number)).map(name),
    ...(units.length > 0 && { units: Object.fromEntries(units) }),
  };
}

/** Without the units that no capacity has: an observer of them is refused. */
function observable({ units = {}, ...spec }: OracleSpec, oracle: Oracle<Standing>): OracleSpec {
  const possible = Object.entries(units).flatMap(([name, each]) => {
    const take = typeof each === 'number' ? each : each.take;
    return take <= (oracle.capacities.get(name) ?? 0) ? [[name, take] as const] : [];
  });
  return possible.length === 0 ? spec : { ...spec, units: Object.fromEntries(possible) };
}

/** Of some resources, as many units as a downgrade may leave. */
function unitsLeft(
  set: OracleSet<Standing>,
  oracle: Oracle<Standing>,
  own: readonly string[],
  seed: number,
): Readonly<Record<string, number>> {
  const left = own.flatMap((name, index): [string, number][] => {
    const capacity = oracle.capacities.get(name);
    // Where it was granted before the resource had a capacity, a client may not know of it.
    if (capacity === undefined || oracle.numbers(set, name).length === 0) return [];
    const held = Math.min(oracle.units(set, name), capacity);
    return (seed >> index) % 3 === 0 ? [] : [[name, 1 + (seed % held)]];
  });
  return Object.fromEntries(left);
}
