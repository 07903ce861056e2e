/**
 * Random operations for a {@link Pair}: each is a few numbers that mean something in any state, so
 * that a run that fails can be cut down to the operations it takes.
 */

import * as fc from 'fast-check';
import type { Oracle, OracleSet, OracleSpec } from '../../conformance/oracle.ts';
import type { Operation } from '../../model/pair.ts';

export interface Step {
  readonly kind: Operation['do'];
  /**
   * Resources by number; from `names.length` on, shared; from twice as many on, units, where the
   * run has them. The same one may come again.
   */
  readonly wanted: readonly number[];
  /** Numbers of units, one for each of them, and capacities. */
  readonly counts: readonly number[];
  /** Which set, or which resource. */
  readonly place: number;
  readonly yes: boolean;
  readonly locked: 'wait' | 'fail' | 'ignore';
  readonly holding: readonly number[];
}

export interface StepOptions {
  readonly resourceCount: number;
  readonly setSizeMax: number;
  /** Of a hundred steps, how many are requests. */
  readonly arrivals: number;
  /** The highest capacity that resources get; none get one otherwise. */
  readonly capacityMax?: number;
}

export function aStep(options: StepOptions): fc.Arbitrary<Step> {
  const { resourceCount, setSizeMax, arrivals, capacityMax = 0 } = options;
  const hasUnits = capacityMax > 0;
  const kinds: Record<Operation['do'], number> = {
    arrive: arrivals,
    try: 6,
    steal: 2,
    observe: 3,
    remove: 30,
    'remove all': 4,
    downgrade: 7,
    'release part': 7,
    upgrade: hasUnits ? 4 : 0,
    resize: hasUnits ? 8 : 0,
    keep: 2,
    end: 2,
  };
  const kind = fc.oneof(
    ...Object.entries(kinds).map(([name, weight]) => {
      return { weight, arbitrary: fc.constant(name as Operation['do']) };
    }),
  );
  return fc.record({
    kind,
    wanted: fc.array(fc.nat((hasUnits ? 4 : 2) * resourceCount - 1), {
      maxLength: setSizeMax,
      size: 'max',
    }),
    counts: fc.array(fc.integer({ min: 1, max: Math.max(1, capacityMax) }), {
      minLength: setSizeMax,
      maxLength: setSizeMax,
    }),
    place: fc.nat(999),
    yes: fc.boolean(),
    locked: fc.constantFrom('wait', 'wait', 'wait', 'fail', 'ignore'),
    holding: fc.array(fc.nat(99), { maxLength: 2 }),
  });
}

/** What the step means now; nothing, if there is nobody to do it to or no room for another set. */
export function operationOf(
  step: Step,
  oracle: Oracle,
  names: readonly string[],
  setCountMax: number,
): Operation | undefined {
  const { kind, yes, locked } = step;
  const isThere = oracle.live.length > 0;
  const place = isThere ? step.place % oracle.live.length : 0;
  switch (kind) {
    case 'arrive':
    case 'try': {
      if (oracle.live.length >= setCountMax) return undefined;
      const sync = step.place % 8 === 0;
      return { do: kind, spec: specOf(step, names), sync, locked, holding: held(step, oracle) };
    }
    case 'steal': {
      if (oracle.live.length >= setCountMax) return undefined;
      const { exclusive = [] } = specOf(step, names);
      return { do: kind, spec: { exclusive }, sync: yes };
    }
    case 'observe':
      if (oracle.live.length >= setCountMax) return undefined;
      return { do: kind, spec: specOf(step, names) };
    case 'resize': {
      const name = names[step.place % names.length] ?? '';
      return { do: kind, name, capacity: step.counts[0] ?? 1 };
    }
    case 'keep':
    case 'end': {
      const name = names[step.place % names.length] ?? '';
      return kind === 'keep' ? { do: kind, name, isKept: yes } : { do: kind, name };
    }
    case 'remove':
      // Holders rather than waiters, or nothing would ever move.
      return isThere
        ? { do: kind, place: yes ? place : place % 3, died: step.place % 4 === 0 }
        : undefined;
    case 'remove all': {
      const isNamed = (at: number): boolean => (at + step.place) % 3 === 0;
      const places = [...oracle.live.keys()].filter(isNamed);
      return places.length === 0
        ? undefined
        : { do: kind, places: yes ? places : places.reverse(), died: step.place % 4 === 0 };
    }
    default:
      return isThere ? weakeningOf(kind, step, oracle, place, names) : undefined;
  }
}

function weakeningOf(
  kind: 'downgrade' | 'upgrade' | 'release part',
  step: Step,
  oracle: Oracle,
  place: number,
  names: readonly string[],
): Operation | undefined {
  const holders = oracle.live.flatMap((set, at) => (set.granted && !set.isObserver ? [at] : []));
  const holder = holders[place % holders.length];
  if (holder === undefined) return undefined;
  const wanted = step.wanted.map((number) => names[number % names.length]);
  const own = [...(oracle.live[holder]?.modes.keys() ?? [])];
  const part = own.filter((name) => wanted.includes(name));
  if (kind === 'release part') return { do: kind, place: holder, part };
  if (step.yes) return { do: kind, place: holder };
  if (kind === 'upgrade') return { do: kind, place: holder, part };
  const units = Object.fromEntries(
    part.flatMap((name, index) => {
      const most = oracle.units(oracle.live[holder] as OracleSet, name);
      const capacity = oracle.capacities.get(name);
      const fewer = Math.min(step.counts[index] ?? 1, most, capacity ?? 1);
      return fewer > 1 ? [[name, fewer] as const] : [];
    }),
  );
  return { do: kind, place: holder, part, units };
}

function specOf({ wanted, counts, yes }: Step, names: readonly string[]): OracleSpec {
  const name = (number: number) => names[number % names.length] ?? '';
  const group = (number: number) => Math.floor(number / names.length);
  const units = wanted.flatMap((number, index) => {
    const count = counts[index] ?? 1;
    if (group(number) < 2) return [];
    // An assertion now and then; as the capacities are other ones, many are refused.
    return [[name(number), group(number) === 2 || yes ? count : { take: count, of: 3 }] as const];
  });
  return {
    exclusive: wanted.filter((number) => group(number) === 0).map(name),
    shared: wanted.filter((number) => group(number) === 1).map(name),
    ...(units.length > 0 && { units: Object.fromEntries(units) }),
  };
}

function held({ holding }: Step, oracle: Oracle): readonly number[] {
  const holders = oracle.live.flatMap((set, at) => (set.granted && !set.isObserver ? [at] : []));
  if (holders.length === 0) return [];
  return holding.map((number) => holders[number % holders.length] ?? 0);
}
