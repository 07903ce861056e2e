/**
 * The command line, read by `parseArgs` of node:util, and its errors in words of kds.
 *
 * `parseArgs` does not stop at the first word that is no option. So it first takes the words apart,
 * leniently: that shows where the options end, and each is checked here. Then it reads these alone.
 */

import { type ParseArgsConfig, parseArgs } from 'node:util';
import { nameLengthMax } from '../api/limits.ts';
import { escaped } from './messages.ts';
import { didYouMean } from './near-words.ts';

/** Wrong usage: kds prints the reason and how to get help, and exits with 64. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly code = 'USAGE';
}

/** By its code: main.ts and commands.ts are built with a class each. */
export function isUsageError(error: unknown): error is UsageError {
  return error instanceof Error && 'code' in error && error.code === 'USAGE';
}

export type OptionTable = NonNullable<ParseArgsConfig['options']>;

interface ReadArguments<T extends OptionTable> {
  readonly values: ReturnType<typeof parseArgs<{ options: T }>>['values'];
  readonly positionals: readonly string[];
}

type OptionToken = Extract<ReturnType<typeof tokensOf>[number], { kind: 'option' }>;

/** Options anywhere. @throws UsageError */
export function readOptions<T extends OptionTable>(
  args: readonly string[],
  options: T,
): ReadArguments<T> {
  for (const token of tokensOf(args, options)) {
    if (token.kind === 'option') checkOption(token, options);
  }
  return parseArgs({ args: [...args], options, allowPositionals: true });
}

/** Options up to the first word that is none, or `--`; the rest as it is. @throws UsageError */
export function readOptionsBefore<T extends OptionTable>(
  args: readonly string[],
  options: T,
): ReadArguments<T> {
  const end = tokensOf(args, options).find(({ kind }) => kind !== 'option');
  const index = end?.index ?? args.length;
  const { values } = readOptions(args.slice(0, index), options);
  const rest = args.slice(end?.kind === 'option-terminator' ? index + 1 : index);
  return { values, positionals: rest };
}

function tokensOf(args: readonly string[], options: OptionTable) {
  const config = { args: [...args], options, allowPositionals: true, strict: false, tokens: true };
  return parseArgs(config as typeof config & { tokens: true }).tokens;
}

/** @throws UsageError */
function checkOption({ name, rawName, value, inlineValue }: OptionToken, options: OptionTable) {
  const option = Object.hasOwn(options, name) ? options[name] : undefined;
  if (option === undefined) {
    const known = Object.keys(options).filter(({ length }) => length > 1);
    const near = didYouMean(
      rawName,
      known.map((each) => `--${each}`),
    );
    throw new UsageError(`there is no option ${escaped(rawName)}${near}`);
  }
  if (option.type === 'boolean') {
    if (value === undefined) return;
    throw new UsageError(`${rawName} takes no value, and is given ${quoted(value)}`);
  }
  if (value === undefined) throw new UsageError(`${rawName} needs a value`);
  const given = quoted(value);
  // The value was left out, or its variable is not set: the next word is no value, but an option.
  if (!inlineValue && value.length > 1 && value.startsWith('-')) {
    const other = rawName.startsWith('--') ? `${rawName}=VALUE` : `${rawName}VALUE`;
    throw new UsageError(
      `${rawName} needs a value, and ${given} follows it: ` +
        `write a value that begins with a dash as ${other}`,
    );
  }
  // In a word of its own a name may begin like this; here another name would be meant.
  if (inlineValue && !rawName.startsWith('--') && value.startsWith('=')) {
    const long = name.length > 1 ? ` or --${name}=VALUE` : '';
    throw new UsageError(`${rawName} would have the value ${given}: write ${rawName} VALUE${long}`);
  }
}

/** What was given, in messages: always in quotes. */
function quoted(text: string): string {
  return escaped(JSON.stringify(text));
}

const unitsMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** A time in ms: `5`, `0.5`, `5s`, `100ms`, `2m`, `1h`, `1d`. @throws UsageError */
export function readDuration(text: string, option: string): number {
  const [, digits = '', unit = 's'] = /^(\d+(?:\.\d*)?|\.\d+)(ms|s|m|h|d)?$/.exec(text) ?? [];
  if (digits === '') {
    throw new UsageError(
      `${option} is a time in seconds, or with ms, s, m, h or d, not ${quoted(text)}`,
    );
  }
  return Number(digits) * (unitsMs[unit] as number);
}

/** A time for a timer, which would be over at once beyond 24.8 days: so long at most. */
export function readDelay(text: string, option: string): number {
  return Math.min(readDuration(text, option), 2 ** 31 - 1);
}

/** @throws UsageError */
export function readExitCode(text: string, option: string): number {
  const code = /^\d{1,3}$/.test(text) ? Number(text) : Number.NaN;
  if (!(code <= 255)) {
    throw new UsageError(`${option} is an exit code from 0 to 255, not ${quoted(text)}`);
  }
  return code;
}

/** Of TCP; 0 is any that is free. @throws UsageError */
export function readPort(text: string, option: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port <= 65_535) return port;
  throw new UsageError(`${option} is a port from 0 to 65535, not ${quoted(text)}`);
}

/** A port that was asked for cannot be had: what to throw. */
export function cannotListen(error: unknown, port: number): unknown {
  if (!(error instanceof Error) || !('syscall' in error)) return error;
  return new UsageError(`port ${port} cannot be served: ${error.message}`);
}

/** @throws UsageError */
export function readChoice<T extends string>(
  text: string,
  choices: readonly T[],
  option: string,
): T {
  const chosen = choices.find((choice) => choice === text);
  if (chosen !== undefined) return chosen;
  throw new UsageError(`${option} is ${choices.join(', ')}, not ${quoted(text)}`);
}

/**
 * A name that is empty is that of a variable that is not set, more often than not: the lock would
 * be another one than was meant.
 *
 * @throws UsageError
 */
export function checkNames(names: readonly string[], option: string): void {
  if (!names.includes('')) return;
  throw new UsageError(`${option} has an empty name: is a variable of the script not set?`);
}

/** The name of one resource, as `kds why NAME` has it. @throws UsageError */
export function readName(positionals: readonly string[]): string {
  const name = readOnly(positionals, 'NAME');
  checkNames([name], 'NAME');
  checkNameLengths([name]);
  return name;
}

/** @throws UsageError */
export function checkNameLengths(names: readonly string[]): void {
  const tooLong = names.find(({ length }) => length > nameLengthMax);
  if (tooLong === undefined) return;
  throw new UsageError(`a name has at most ${nameLengthMax} characters, not ${tooLong.length}`);
}

/** Just one. @throws UsageError */
export function readOnly(positionals: readonly string[], what: string): string {
  const [only, ...more] = positionals;
  if (only === undefined) throw new UsageError(`${what} is missing`);
  if (more.length > 0) throw new UsageError(`one ${what} at a time, not ${more.length + 1}`);
  return only;
}

/** @throws UsageError */
export function readNone(positionals: readonly string[]): void {
  const [first] = positionals;
  if (first === undefined) return;
  throw new UsageError(`the argument ${quoted(first)} is one too many`);
}
