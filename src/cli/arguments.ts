/**
 * Reads the command line by `parseArgs` of node:util, with error messages of kds.
 *
 * `parseArgs` does not stop at the first word that is no option. So a first, lenient pass finds the
 * end of the options, and each is checked here; a second pass reads them.
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

/** Options up to the first other word, or `--`; the rest unread. @throws UsageError */
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
    throw new UsageError(`unknown option ${escaped(rawName)}${near}`);
  }
  if (option.type === 'boolean') {
    if (value === undefined) return;
    throw new UsageError(`${rawName} takes no value, got ${quoted(value)}`);
  }
  if (value === undefined) throw new UsageError(`${rawName} requires a value`);
  const given = quoted(value);
  // The value is missing, or its variable is empty: the next word is an option, no value.
  if (!inlineValue && value.length > 1 && value.startsWith('-')) {
    const other = rawName.startsWith('--') ? `${rawName}=VALUE` : `${rawName}VALUE`;
    throw new UsageError(
      `${rawName} requires a value, but ${given} follows: ` +
        `write a value that begins with a dash as ${other}`,
    );
  }
  // As a word of its own a name may begin with =; here it is a mistake for --name=VALUE.
  if (inlineValue && !rawName.startsWith('--') && value.startsWith('=')) {
    const long = name.length > 1 ? ` or --${name}=VALUE` : '';
    throw new UsageError(`${rawName} would have the value ${given}: write ${rawName} VALUE${long}`);
  }
}

/** A user's word in messages: always in quotes. */
export function quoted(text: string): string {
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
      `${option} must be a time in seconds, or with ms, s, m, h or d, got ${quoted(text)}`,
    );
  }
  return Number(digits) * (unitsMs[unit] as number);
}

/** A time for a timer, at most 24.8 days: a longer timer would fire at once. */
export function readDelay(text: string, option: string): number {
  return Math.min(readDuration(text, option), 2 ** 31 - 1);
}

/** @throws UsageError */
export function readExitCode(text: string, option: string): number {
  const code = /^\d{1,3}$/.test(text) ? Number(text) : Number.NaN;
  if (!(code <= 255)) {
    throw new UsageError(`${option} must be an exit code from 0 to 255, got ${quoted(text)}`);
  }
  return code;
}

/** A TCP port; 0 is any free port. @throws UsageError */
export function readPort(text: string, option: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port <= 65_535) return port;
  throw new UsageError(`${option} must be a port from 0 to 65535, got ${quoted(text)}`);
}

/** The error to throw if a port cannot be opened. */
export function cannotListen(error: unknown, port: number): unknown {
  if (!(error instanceof Error) || !('syscall' in error)) return error;
  return new UsageError(`cannot listen on port ${port}: ${error.message}`);
}

/** @throws UsageError */
export function readChoice<T extends string>(
  text: string,
  choices: readonly T[],
  option: string,
): T {
  const chosen = choices.find((choice) => choice === text);
  if (chosen !== undefined) return chosen;
  throw new UsageError(`${option} must be one of ${choices.join(', ')}, got ${quoted(text)}`);
}

/**
 * An empty name usually comes from an unset variable: the command would hold another resource than
 * intended.
 *
 * @throws UsageError
 */
export function checkNames(names: readonly string[], option: string): void {
  if (!names.includes('')) return;
  throw new UsageError(`${option} has an empty name: is a variable of the script unset?`);
}

/** The name of one resource, as of `kds why NAME`. @throws UsageError */
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
  throw new UsageError(
    `name too long: ${tooLong.length} characters, the limit is ${nameLengthMax}`,
  );
}

/** The only argument. @throws UsageError */
export function readOnly(positionals: readonly string[], what: string): string {
  const [only, ...more] = positionals;
  if (only === undefined) throw new UsageError(`${what} is missing`);
  if (more.length > 0) throw new UsageError(`expected one ${what}, got ${more.length + 1}`);
  return only;
}

/** @throws UsageError */
export function readNone(positionals: readonly string[]): void {
  const [first] = positionals;
  if (first === undefined) return;
  throw new UsageError(`unexpected argument ${quoted(first)}`);
}
