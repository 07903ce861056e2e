/**
 * Every run of a small world: from nothing, each operation that is possible in each state that can
 * be reached, done by core and oracle side by side (pair.ts).
 *
 * States are told apart by what the oracle knows; that core's words agree with it, and with
 * themselves, is checked after each transition, so words that differ only in where things lie count
 * as one state. Worlds that differ only in the names of the resources count as one too.
 *
 * Each transition is written as a test vector (vectors.ts), in the tree of the shortest ways; or
 * none is, which takes less memory.
 */

import type { Oracle, OracleSet, OracleSpec } from '../conformance/oracle.ts';
import { type Operation, type Outcome, Pair, type PairState, toldWith } from './pair.ts';
import { outcomeOf, type Part, type Seen, type Step, textOf } from './vectors.ts';

/** What there is and what may happen. Leaving something out makes the world smaller. */
export interface World {
  readonly resourceCount: number;
  readonly setCountMax: number;
  /** Declared capacities: arrivals also take each number of units from 2 up to it. */
  readonly capacities?: Readonly<Record<string, number>>;
  /** Resources without one, whose capacity arrivals may assert: it is this, or one less. */
  readonly asserted?: Readonly<Record<string, number>>;
  /** Capacities that these resources may get at any time. */
  readonly resizes?: Readonly<Record<string, readonly number[]>>;
  /** Grants may also try to become exclusive. */
  readonly upgrades?: boolean;
  /** Holders may also die, which leaves marks. */
  readonly died?: boolean;
  /** Any number of sets, up to so many, may end at one moment. Default one at a time. */
  readonly endsTogetherMax?: number;
  /** Which parts of a grant are downgraded and released, besides all of it. */
  readonly parts?: 'any' | 'one resource';
  /** Arrivals that name a resource both exclusive and shared. */
  readonly doubled?: boolean;
  readonly tries?: boolean;
  readonly steals?: boolean;
  readonly observers?: boolean;
  /** Who calls: synchronously or not, and what each thinks of synchronous callers before it. */
  readonly callers?: readonly Caller[];
  /** A waiting set may declare any of the grants there are. */
  readonly holding?: boolean;
}

export interface Caller {
  readonly sync: boolean;
  readonly locked: 'wait' | 'fail' | 'ignore';
}

/** Every kind of caller there is. */
export const allCallers: readonly Caller[] = [false, true].flatMap((sync) =>
  (['wait', 'fail', 'ignore'] as const).map((locked) => ({ sync, locked })),
);

export interface Exploration {
  readonly stateCount: number;
  readonly transitionCount: number;
  /** How many operations have been done in the short way too, to the same words. */
  readonly shortCount: number;
  /** How often each operation came to each outcome. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** Every transition, as test vectors; empty if they are not written. */
  readonly vectors: string;
}

/** A state, by the shortest way to it. */
interface Reached {
  /** Undefined once all that can be done there has been. */
  state: PairState | undefined;
  readonly trail: Trail | undefined;
  /** The numbers of the live sets, in the oracle's order, and of the next request. */
  readonly sets: readonly number[];
  readonly setNext: number;
  readonly transitions: Transition[];
}

interface Trail {
  readonly before: Trail | undefined;
  readonly operation: Operation;
}

interface Transition {
  readonly text: string;
  /** Where the transition reaches a state first. */
  readonly reached: Reached | undefined;
}

/** Throws at the first difference, with the operations that lead there. */
export function explore(world: World, writesVectors = true): Exploration {
  const names = ['a', 'b', 'c', 'd'].slice(0, world.resourceCount);
  const { capacities, asserted, resizes } = world;
  const isUniform = (capacities ?? asserted ?? resizes) === undefined;
  const orders = isUniform ? permutations(names) : [names];
  const arrivals = arrivalsOf(world, names);
  const size = { wordsMin: 2048, wordsMax: 2048 };
  const pair = new Pair(names, size, { undoes: true, capacities: world.capacities ?? {} });
  const seen = new Set([keyOf(pair.oracle, orders)]);
  const none = { trail: undefined, sets: [], setNext: 1, transitions: [] };
  const open: Reached[] = [{ ...none, state: pair.save() }];
  const outcomes = new Map<string, number>();
  let transitionCount = 0;

  for (let at = 0; ; at++) {
    // The latest first keeps fewer states at a time, and the first one has the shortest ways.
    const from = writesVectors ? open[at] : open.pop();
    if (from?.state === undefined) break;
    const { state } = from;
    for (const operation of operationsIn(state.oracle, world, arrivals)) {
      const trail: Trail = { before: from.trail, operation };
      pair.restore(state);
      const before = beforeStep(pair.oracle, operation, from);
      const outcome = applyOn(pair, trail);
      const what = `${operation.do}: ${outcome}`;
      transitionCount++;
      outcomes.set(what, (outcomes.get(what) ?? 0) + 1);
      const key = keyOf(pair.oracle, orders);
      const after = afterStep(pair.oracle, before, outcome);
      const isNew = !seen.has(key);
      const reached: Reached | undefined = isNew
        ? { state: pair.save(), trail, sets: after.sets, setNext: before.setNext, transitions: [] }
        : undefined;
      if (writesVectors) {
        from.transitions.push({ text: `${before.text} -> ${after.text}`, reached });
      }
      if (reached === undefined) continue;
      seen.add(key);
      open.push(reached);
    }
    from.state = undefined;
  }
  const vectors = writesVectors ? vectorsFrom(open[0] as Reached, world, names) : '';
  const { shortCount } = pair;
  return { stateCount: seen.size, transitionCount, shortCount, outcomes, vectors };
}

function applyOn(pair: Pair, trail: Trail): Outcome {
  try {
    return pair.apply(trail.operation);
  } catch (cause) {
    const operations: Operation[] = [];
    for (let at: Trail | undefined = trail; at !== undefined; at = at.before) {
      operations.unshift(at.operation);
    }
    throw toldWith(operations, cause);
  }
}

// ---------------------------------------------------------------------------------------------
// Test vectors

interface Before {
  readonly operation: Operation;
  readonly text: string;
  readonly sets: Map<OracleSet, number>;
  readonly granted: ReadonlySet<OracleSet>;
  /** The number of the request, if it is one, and of the next. */
  readonly set: number;
  readonly setNext: number;
}

function beforeStep(oracle: Oracle, operation: Operation, from: Reached): Before {
  const isRequest = 'spec' in operation;
  return {
    operation,
    text: textOf(stepOf(operation, from)),
    sets: new Map(oracle.live.map((set, place) => [set, from.sets[place] as number])),
    granted: new Set(oracle.live.filter(({ granted }) => granted)),
    set: from.setNext,
    setNext: from.setNext + (isRequest ? 1 : 0),
  };
}

/** What has changed, by the oracle: core has been found to have the same. */
function afterStep(oracle: Oracle, before: Before, outcome: Outcome) {
  const { operation, sets, set } = before;
  const numbers = oracle.live.map((each) => sets.get(each) ?? set);
  const granted: Seen['granted'][number][] = [];
  const settled: number[] = [];
  for (const [place, each] of oracle.live.entries()) {
    if (!each.granted || before.granted.has(each)) continue;
    const number = numbers[place] as number;
    if (!each.isObserver) {
      const recovered = [...each.modes.keys()].filter((name) => oracle.recovered.has(name));
      const numbers = [...each.numbers.keys()].map(
        (name) => [name, oracle.numbers(each, name)] as const,
      );
      granted.push({ set: number, recovered, ignored: oracle.ignored(each), numbers });
    } else if (sets.has(each)) {
      settled.push(number);
    }
  }
  const live = new Set(oracle.live);
  const takes = operation.do === 'steal' || operation.do === 'resize';
  const lost = takes ? [...sets.keys()].filter((each) => !live.has(each)) : [];
  const numbersOf = (those: readonly OracleSet[]) => those.map((each) => sets.get(each) as number);
  const seen: Seen = {
    word: wordOf(operation, outcome, oracle.live.length > sets.size),
    granted,
    settled,
    lost: numbersOf(lost.filter(({ granted }) => granted)),
    refused: numbersOf(lost.filter(({ granted }) => !granted)),
    flagged: [...oracle.recovered],
  };
  return { text: outcomeOf(seen), sets: numbers };
}

function wordOf(operation: Operation, outcome: Outcome, isLive: boolean): Seen['word'] {
  if (outcome === 'full') throw new Error('a small world has room');
  if (operation.do === 'observe' && outcome === 'granted') return 'settled';
  if (operation.do === 'try' && outcome === 'done') return isLive ? 'granted' : 'denied';
  return outcome;
}

function stepOf(operation: Operation, { sets, setNext }: Reached): Step {
  const none = { parts: [], names: undefined, isSync: false, locked: 'wait', keeps: [] } as const;
  const at = (place: number): number => sets[place] as number;
  switch (operation.do) {
    case 'arrive':
    case 'try':
      return {
        ...none,
        kind: operation.do === 'try' ? 'try' : 'ask',
        sets: [setNext],
        parts: partsOf(operation.spec),
        isSync: operation.sync ?? false,
        locked: operation.locked ?? 'wait',
        keeps: (operation.holding ?? []).map(at),
      };
    case 'steal': {
      const parts = partsOf(operation.spec);
      return { ...none, kind: 'steal', sets: [setNext], parts, isSync: operation.sync ?? false };
    }
    case 'observe':
      return { ...none, kind: 'observe', sets: [setNext], parts: partsOf(operation.spec) };
    case 'remove':
      return { ...none, kind: operation.died ? 'die' : 'end', sets: [at(operation.place)] };
    case 'remove all':
      return { ...none, kind: operation.died ? 'die' : 'end', sets: operation.places.map(at) };
    case 'downgrade': {
      const { part: names, units = {} } = operation;
      return { ...none, kind: 'weaken', sets: [at(operation.place)], names, units };
    }
    case 'upgrade':
      return { ...none, kind: 'upgrade', sets: [at(operation.place)], names: operation.part };
    case 'resize': {
      const units = { [operation.name]: operation.capacity };
      return { ...none, kind: 'resize', sets: [], units };
    }
    case 'release part':
      return { ...none, kind: 'release', sets: [at(operation.place)], names: operation.part };
    default:
      throw new Error(`no small world has "${operation.do}"`);
  }
}

function partsOf({ exclusive = [], shared = [], units = {} }: OracleSpec): readonly Part[] {
  return [
    ...exclusive.map((name): Part => ({ name, take: 'x' })),
    ...Object.entries(units).map(
      ([name, each]): Part => (typeof each === 'number' ? { name, take: each } : { name, ...each }),
    ),
    ...shared.map((name): Part => ({ name, take: 's' })),
  ];
}

function vectorsFrom(empty: Reached, { capacities = {} }: World, names: readonly string[]): string {
  const lines = ['kds vectors 1'];
  for (const name of names) lines.push(`resource ${name} ${capacities[name] ?? ''}`.trimEnd());
  lines.push('');
  const write = ({ transitions }: Reached, depth: number): void => {
    for (const { text, reached } of transitions) {
      lines.push(`${depth} ${text}`);
      if (reached !== undefined) write(reached, depth + 1);
    }
  };
  write(empty, 0);
  return `${lines.join('\n')}\n`;
}

// ---------------------------------------------------------------------------------------------
// What can be done

/** Arrivals are the same in each state, but for what is held. */
function arrivalsOf(world: World, names: readonly string[]): readonly Operation[] {
  const modes = world.doubled ? ['', 'x', 's', 'xs'] : ['', 'x', 's'];
  const specs: OracleSpec[] = [];
  for (const choice of product(names.map((name) => [...modes, ...unitsIn(world, name)]))) {
    const exclusive = names.filter((_, index) => choice[index]?.includes('x'));
    const shared = names.filter((_, index) => choice[index]?.includes('s'));
    const taken = names.flatMap((name, index) => {
      const [take = 0, of] = (choice[index] ?? '').split('/').map(Number);
      return take > 0 ? [[name, of === undefined ? take : { take, of }] as const] : [];
    });
    specs.push({
      exclusive,
      shared,
      ...(taken.length > 0 && { units: Object.fromEntries(taken) }),
    });
  }
  const operations: Operation[] = [];
  for (const spec of specs) {
    for (const caller of world.callers ?? [{ sync: false, locked: 'wait' }]) {
      operations.push({ do: 'arrive', spec, ...caller });
      if (world.tries) operations.push({ do: 'try', spec, ...caller });
      const isExclusive = spec.shared?.length === 0 && spec.units === undefined;
      const canSteal = world.steals && isExclusive && caller.locked === 'wait';
      if (canSteal) operations.push({ do: 'steal', spec, sync: caller.sync });
    }
    if (world.observers) operations.push({ do: 'observe', spec });
  }
  return operations;
}

function* operationsIn(
  oracle: Oracle,
  world: World,
  arrivals: readonly Operation[],
): Generator<Operation> {
  if (oracle.live.length < world.setCountMax) {
    const granted = oracle.live.flatMap((set, place) =>
      set.granted && !set.isObserver ? [place] : [],
    );
    for (const operation of arrivals) {
      if (operation.do !== 'arrive' || !world.holding) {
        yield operation;
        continue;
      }
      for (const holding of subsets(granted)) yield { ...operation, holding };
    }
  }
  for (const [place, set] of oracle.live.entries()) {
    yield { do: 'remove', place, died: false };
    if (world.died) yield { do: 'remove', place, died: true };
    if (!set.granted || set.isObserver || world.parts === undefined) continue;
    yield { do: 'downgrade', place };
    if (world.upgrades) yield { do: 'upgrade', place };
    for (const part of subsets([...set.modes.keys()])) {
      if (part.length === 0 || (world.parts === 'one resource' && part.length > 1)) continue;
      yield { do: 'downgrade', place, part };
      yield { do: 'release part', place, part };
      if (world.upgrades) yield { do: 'upgrade', place, part };
      yield* fewerIn(oracle, place, part);
    }
  }
  for (const [name, capacities] of Object.entries(world.resizes ?? {})) {
    for (const capacity of capacities) yield { do: 'resize', name, capacity };
  }
  yield* endsTogetherIn(oracle, world);
}

/** A grant may keep each number of units that is less than it has, from 2, of one resource. */
function* fewerIn(oracle: Oracle, place: number, part: readonly string[]): Generator<Operation> {
  const [name, ...more] = part;
  const capacity = name === undefined ? undefined : oracle.capacities.get(name);
  if (name === undefined || capacity === undefined || more.length > 0) return;
  const units = oracle.units(oracle.live[place] as OracleSet, name);
  for (let fewer = 2; fewer <= Math.min(units - 1, capacity); fewer++) {
    yield { do: 'downgrade', place, part, units: { [name]: fewer } };
  }
}

/** The order in which they are named must not matter: it is that of arrival, or the other way. */
function* endsTogetherIn(
  oracle: Oracle,
  { endsTogetherMax = 1, died = false }: World,
): Generator<Operation> {
  for (const places of subsets([...oracle.live.keys()])) {
    if (places.length < 2 || places.length > endsTogetherMax) continue;
    const isReversed = places.length % 2 === 0;
    const inSomeOrder = isReversed ? places.toReversed() : places;
    yield { do: 'remove all', places: inSomeOrder, died: false };
    if (died) yield { do: 'remove all', places: inSomeOrder, died: true };
  }
}

/** What the oracle knows, as a string that is the same whatever the resources are called. */
function keyOf(oracle: Oracle, orders: readonly (readonly string[])[]): string {
  let key = '';
  for (const names of orders) {
    let candidate = String.fromCharCode(
      names.reduce((bits, name) => bits * 2 + (oracle.recovered.has(name) ? 1 : 0), 0),
    );
    for (const name of names) {
      const capacity = oracle.capacities.get(name) ?? 0;
      candidate += String.fromCharCode(2 * capacity + (oracle.asserted.has(name) ? 1 : 0));
    }
    for (const set of oracle.live) candidate += codeOf(set, names, oracle.live);
    if (key === '' || candidate < key) key = candidate;
  }
  return key;
}

function codeOf(set: OracleSet, names: readonly string[], live: readonly OracleSet[]): string {
  let modes = 0;
  for (const name of names) {
    const mode = set.modes.get(name);
    // Exclusive, 2 to 6 units, shared; passed over or not.
    modes *= 16;
    if (mode === undefined) continue;
    const code = mode === 'exclusive' ? 1 : (set.units.get(name) ?? 0);
    modes += (code === 0 ? 7 : code) + (set.passedOver.has(name) ? 7 : 0);
  }
  let bits = (set.granted ? 1 : 0) + (set.isSync ? 2 : 0) + (set.isObserver ? 4 : 0);
  if (!set.granted) for (const held of set.holding) bits |= 8 << live.indexOf(held);
  const numbers = names.map((name) => {
    const own = set.numbers.get(name);
    // Of an exclusive set also those that may become units.
    const told = own?.filter((each) => each < 8);
    return told === undefined ? 1 : told.reduce((sum, each) => sum | (4 << each), 2);
  });
  return String.fromCharCode(modes, bits, ...numbers);
}

function permutations<T>(items: readonly T[]): readonly (readonly T[])[] {
  if (items.length < 2) return [items];
  return items.flatMap((first, index) => {
    const rest = items.filter((_, other) => other !== index);
    return permutations(rest).map((tail) => [first, ...tail]);
  });
}

/** As `2`, or `2/3` where that capacity is asserted. One unit is as shared, if none is asserted. */
function unitsIn({ capacities, asserted, resizes }: World, name: string): readonly string[] {
  const of = asserted?.[name];
  const most = Math.max(capacities?.[name] ?? 0, of ?? 0, ...(resizes?.[name] ?? []));
  const counts = Array.from({ length: most }, (_, index) => index + 1);
  const plain = counts.slice(1).map(String);
  if (of === undefined) return plain;
  return [...plain, ...counts.map((take) => `${take}/${of}`), `1/${of - 1}`];
}

function product<T>(lists: readonly (readonly T[])[]): readonly (readonly T[])[] {
  const [first, ...rest] = lists;
  if (first === undefined) return [[]];
  return first.flatMap((value) => product(rest).map((values) => [value, ...values]));
}

function choices<T>(count: number, values: readonly T[]): readonly (readonly T[])[] {
  if (count === 0) return [[]];
  return choices(count - 1, values).flatMap((rest) => values.map((value) => [...rest, value]));
}

function subsets<T>(items: readonly T[]): readonly (readonly T[])[] {
  return choices(items.length, [false, true]).map((kept) => items.filter((_, at) => kept[at]));
}
