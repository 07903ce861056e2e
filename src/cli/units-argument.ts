/**
 * Units of resources as commands name them: `NAME=COUNT[/CAPACITY][:VARIABLE]`. The name ends at
 * the last `=`, as no other part can have one: so every name can be written.
 */

import { setSizeMax } from '../api/limits.ts';
import { ALL } from '../api/mode.ts';
import type { SetSpec } from '../api/sets.ts';
import { type UnitCount, unitsListedMax } from '../api/units.ts';
import { checkNameLengths, checkNames, quoted, UsageError } from './arguments.ts';

/** Units of one resource, for a command. */
export interface CommandUnits {
  readonly name: string;
  readonly count: number;
  /** The capacity that it asserts. */
  readonly capacity: number | undefined;
  /** The variable of the command that is set to the units. */
  readonly variable: string | undefined;
}

/** The set of a command, as its arguments or its line name it. */
export interface CommandSet {
  readonly exclusive: readonly string[];
  readonly shared: readonly string[];
  readonly units: readonly CommandUnits[];
}

/** The value of `-u`. @throws UsageError */
export function readUnitsOption(text: string): CommandUnits {
  const end = text.lastIndexOf('=');
  if (end === -1) {
    const form = 'NAME=COUNT[/CAPACITY][:VARIABLE]';
    throw new UsageError(`-u must be ${form}, got ${quoted(text)}`);
  }
  const name = text.slice(0, end);
  checkNames([name], '-u');
  return readUnits(name, text.slice(end + 1));
}

/** `COUNT[/CAPACITY][:VARIABLE]`. @throws UsageError */
export function readUnits(name: string, text: string): CommandUnits {
  const what = `units of ${quoted(name)}`;
  const colon = text.indexOf(':');
  const variable = colon === -1 ? undefined : text.slice(colon + 1);
  const [count = '', ...others] = (colon === -1 ? text : text.slice(0, colon)).split('/');
  const capacity = others.length === 0 ? undefined : readCount(others.join('/'), `all ${what}`);
  const units = { name, count: readCount(count, what), capacity, variable };
  if (capacity !== undefined && units.count > capacity) {
    throw new UsageError(`${what}: ${units.count} of ${capacity} can never be taken`);
  }
  if (variable !== undefined) checkVariable(variable, units.count, what);
  return units;
}

/** @throws UsageError */
export function readCount(text: string, what: string): number {
  const count = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= ALL) return count;
  const unset = text === '' ? ': is a variable of the script unset?' : '';
  throw new UsageError(
    `${what} must be a whole number from 1 to ${ALL}, got ${quoted(text)}${unset}`,
  );
}

function checkVariable(variable: string, count: number, what: string): void {
  if (count > unitsListedMax) {
    throw new UsageError(`the variable for ${what} would list ${count}, over ${unitsListedMax}`);
  }
  if (!/^[a-z_]\w*$/i.test(variable)) {
    throw new UsageError(
      `the variable for ${what} must have letters, digits and underscores only, got ` +
        quoted(variable),
    );
  }
  if (variable.startsWith('KDS_')) {
    throw new UsageError(`the variable for ${what} is one of kds: ${variable}`);
  }
}

/** Checks what the parts of a set must have in common. @throws UsageError */
export function checkSet({ exclusive, shared, units }: CommandSet): void {
  const names = new Set<string>();
  const variables = new Set<string>();
  for (const { name, variable } of units) {
    if (names.has(name)) throw new UsageError(`units of ${quoted(name)} are named twice`);
    names.add(name);
    if (variable === undefined) continue;
    if (variables.has(variable)) {
      throw new UsageError(`the variable ${variable} is named for units of two resources`);
    }
    variables.add(variable);
    if (exclusive.includes(name)) {
      throw new UsageError(
        `the variable ${variable} is for units, and ${quoted(name)} is named exclusive too`,
      );
    }
  }
  const all = [...exclusive, ...shared, ...names];
  if (all.length > setSizeMax) {
    throw new UsageError(`set too large: ${all.length} resources, the limit is ${setSizeMax}`);
  }
  checkNameLengths(all);
}

/** The set as the API has it. */
export function setSpecOf({ exclusive, shared, units }: CommandSet): SetSpec {
  if (units.length === 0) return { exclusive, shared };
  return { exclusive, shared, units: unitsSpecOf(units) };
}

export function unitsSpecOf(units: readonly CommandUnits[]): ReadonlyMap<string, UnitCount> {
  return new Map(
    units.map(({ name, count, capacity }) => {
      return [name, capacity === undefined ? count : { take: count, of: capacity }];
    }),
  );
}

/** Undefined for the empty set. */
export function firstNameOf({ exclusive, shared, units }: CommandSet): string | undefined {
  return exclusive[0] ?? units[0]?.name ?? shared[0];
}
