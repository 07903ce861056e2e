/**
 * Random operations for a {@link Pair}: each is a few numbers that mean something in any state, so
 * that a run that fails can be cut down to the operations it takes.
 */

import * as fc from 'fast-check';
import type { Oracle, OracleSpec } from '../../conformance/oracle.ts';
import type { Operation } from '../../model/pair.ts';

export interface Step {
  readonly kind: Operation['do'];
  /** Resources by number; from `names.length` on, shared. The same one may come again. */
  readonly wanted: readonly number[];
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
}

export function aStep({ resourceCount, setSizeMax, arrivals }: StepOptions): fc.Arbitrary<Step> {
  const kinds: Record<Operation['do'], number> = {
    arrive: arrivals,
    try: 6,
    steal: 2,
    observe: 3,
    remove: 30,
    'remove all': 4,
    downgrade: 7,
    'release part': 7,
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
    wanted: fc.array(fc.nat(2 * resourceCount - 1), { maxLength: setSizeMax, size: 'max' }),
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
  kind: 'downgrade' | 'release part',
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
  return step.yes ? { do: kind, place: holder } : { do: kind, place: holder, part };
}

function specOf({ wanted }: Step, names: readonly string[]): OracleSpec {
  const name = (number: number) => names[number % names.length] ?? '';
  return {
    exclusive: wanted.filter((number) => number < names.length).map(name),
    shared: wanted.filter((number) => number >= names.length).map(name),
  };
}

function held({ holding }: Step, oracle: Oracle): readonly number[] {
  const holders = oracle.live.flatMap((set, at) => (set.granted && !set.isObserver ? [at] : []));
  if (holders.length === 0) return [];
  return holding.map((number) => holders[number % holders.length] ?? 0);
}
