/**
 * The jobs of `kds batch`: one JSON object a line. All lines are read and checked before anything
 * runs, so that a mistake in the last one does not leave the work half done.
 */

import { isUsageError } from './arguments.ts';
import { didYouMean } from './near-words.ts';
import { type CommandSet, type CommandUnits, checkSet, readUnits } from './units-argument.ts';

/** One line: a command, and its set. */
export interface BatchLine {
  /** Counted from 1. */
  readonly number: number;
  /** A command for the shell, or a program and its arguments. */
  readonly run: string | readonly string[];
  /** Its id in `after` of later lines. */
  readonly id: string | undefined;
  readonly label: string;
  /** Of `writes`, `reads` and `units`. */
  readonly set: CommandSet;
  /** Numbers of earlier lines. */
  readonly after: readonly number[];
  readonly cwd: string | undefined;
  readonly env: Readonly<Record<string, string>>;
}

interface LineFault {
  readonly number: number;
  readonly message: string;
}

export interface BatchPlan {
  readonly lines: readonly BatchLine[];
  readonly faults: readonly LineFault[];
}

const keys = ['run', 'id', 'label', 'reads', 'writes', 'units', 'after', 'cwd', 'env'];
const printedLengthMax = 80;

class Fault extends Error {}

/**
 * Ignores empty lines and lines starting with #. `capacities`: all that are declared, if that is
 * known.
 */
export function readLines(text: string, capacities?: ReadonlyMap<string, number>): BatchPlan {
  const lines: BatchLine[] = [];
  const faults: LineFault[] = [];
  const numbers = new Map<string, number>();
  for (const [index, line] of text.split('\n').entries()) {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    const number = index + 1;
    try {
      const read = readLine(trimmed, number, numbers);
      if (capacities !== undefined) checkDeclared(read.set.units, capacities);
      lines.push(read);
      if (read.id !== undefined) numbers.set(read.id, number);
    } catch (error) {
      if (!(error instanceof Fault) && !isUsageError(error)) throw error;
      faults.push({ number, message: error.message });
    }
  }
  return { lines, faults };
}

function readLine(text: string, number: number, numbers: ReadonlyMap<string, number>): BatchLine {
  const object = parse(text);
  for (const key of Object.keys(object)) {
    if (!keys.includes(key)) {
      const near = didYouMean(key, keys) || `: the keys are ${keys.join(', ')}`;
      throw new Fault(`unknown key ${JSON.stringify(key)}${near}`);
    }
  }
  const run = readRun(object['run']);
  const id = readText(object, 'id');
  if (id !== undefined && numbers.has(id)) {
    throw new Fault(`duplicate id ${JSON.stringify(id)}: line ${numbers.get(id)} has the same`);
  }
  const command = typeof run === 'string' ? run : run.join(' ');
  return {
    number,
    run,
    id,
    label: readText(object, 'label') ?? id ?? command.slice(0, printedLengthMax),
    set: readSet(object),
    after: readTexts(object, 'after').map((each) => numberOf(each, numbers)),
    cwd: readFolder(object),
    env: readEnvironment(object['env']),
  };
}

function parse(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Fault(`invalid JSON: ${(error as Error).message}`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new Fault('expected an object like {"run": "make", "reads": ["src"], "writes": ["out"]}');
}

function readRun(run: unknown): string | readonly string[] {
  if (typeof run === 'string' && run.trim() !== '' && !run.includes('\0')) return run;
  const isCommand =
    Array.isArray(run) &&
    run.length > 0 &&
    run[0] !== '' &&
    run.every((word) => typeof word === 'string' && !word.includes('\0'));
  if (isCommand) return run as readonly string[];
  throw new Fault('run must be a command for the shell, or a list of a program and its arguments');
}

function readText(object: Readonly<Record<string, unknown>>, key: string): string | undefined {
  const value = object[key];
  if (value === undefined || typeof value === 'string') return value;
  throw new Fault(`${key} must be a string`);
}

function readFolder(object: Readonly<Record<string, unknown>>): string | undefined {
  const cwd = readText(object, 'cwd');
  if (cwd === '' || cwd?.includes('\0')) throw new Fault('cwd must be the path of a directory');
  return cwd;
}

function readTexts(object: Readonly<Record<string, unknown>>, key: string): readonly string[] {
  const value = object[key] ?? [];
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (values.every((each) => typeof each === 'string')) return values as readonly string[];
  throw new Fault(`${key} must be a string, or a list of strings`);
}

/** @throws Fault, UsageError */
function readSet(object: Readonly<Record<string, unknown>>): CommandSet {
  const set = {
    exclusive: readNames(object, 'writes'),
    shared: readNames(object, 'reads'),
    units: readUnitsOf(object['units']),
  };
  checkSet(set);
  return set;
}

function readUnitsOf(units: unknown = {}): readonly CommandUnits[] {
  if (typeof units !== 'object' || units === null || Array.isArray(units)) {
    throw new Fault('units must be an object like {"gpu": 1} or {"gpu": "1/4:VARIABLE"}');
  }
  return Object.entries(units).map(([name, count]: readonly [string, unknown]) => {
    if (name === '') throw new Fault('units has an empty name');
    if (typeof count !== 'number' && typeof count !== 'string') {
      throw new Fault(`units of ${JSON.stringify(name)} must be a number or a string`);
    }
    return readUnits(name, String(count));
  });
}

function checkDeclared(
  units: readonly CommandUnits[],
  capacities: ReadonlyMap<string, number>,
): void {
  for (const { name, capacity } of units) {
    if (capacity !== undefined || capacities.has(name)) continue;
    throw new Fault(
      `${JSON.stringify(name)} has no capacity: declare it by --capacity NAME=COUNT, or state it ` +
        'with the units: "COUNT/CAPACITY"',
    );
  }
}

function readNames(object: Readonly<Record<string, unknown>>, key: string): readonly string[] {
  const names = readTexts(object, key);
  if (!names.includes('')) return names;
  throw new Fault(`${key} has an empty name`);
}

function numberOf(id: string, numbers: ReadonlyMap<string, number>): number {
  const number = numbers.get(id);
  if (number !== undefined) return number;
  throw new Fault(`after names ${JSON.stringify(id)}, but no earlier line has that id`);
}

function readEnvironment(env: unknown): Readonly<Record<string, string>> {
  if (env === undefined) return {};
  const isObject = typeof env === 'object' && env !== null && !Array.isArray(env);
  const isVariable = ([name, value]: readonly [string, unknown]): boolean =>
    /^[^=\0]+$/.test(name) && typeof value === 'string' && !value.includes('\0');
  if (isObject && Object.entries(env).every(isVariable)) return env as Record<string, string>;
  throw new Fault('env must be an object of strings');
}
