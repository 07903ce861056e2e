/**
 * The command line, read by `parseArgs` of node:util, and its errors in words of kds.
 *
 * `parseArgs` does not stop at the first word that is no option. Where a command follows, it is
 * asked twice: once, leniently, to tell where the options end; then for these alone.
 */

import { type ParseArgsConfig, parseArgs } from 'node:util';

/** The command line is at fault: kds says so, and how to get help, and ends with 64. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly code = 'KDS_USAGE';
}

export type OptionTable = NonNullable<ParseArgsConfig['options']>;

interface ReadArguments<T extends OptionTable> {
  readonly values: ReturnType<typeof parseArgs<{ options: T }>>['values'];
  readonly positionals: readonly string[];
}

/** Options anywhere. @throws UsageError */
export function readOptions<T extends OptionTable>(
  args: readonly string[],
  options: T,
): ReadArguments<T> {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw usageError(error);
  }
}

/** Options up to the first word that is none, or `--`; the rest as it is. @throws UsageError */
export function readOptionsBefore<T extends OptionTable>(
  args: readonly string[],
  options: T,
): ReadArguments<T> {
  const lenient = { args: [...args], options, allowPositionals: true, strict: false };
  const { tokens } = parseArgs({ ...lenient, tokens: true });
  const end = tokens.find(({ kind }) => kind !== 'option');
  const index = end?.index ?? args.length;
  const { values } = readOptions(args.slice(0, index), options);
  const rest = args.slice(end?.kind === 'option-terminator' ? index + 1 : index);
  return { values, positionals: rest };
}

function usageError(error: unknown): unknown {
  const isOfParser =
    error instanceof Error && 'code' in error && /^ERR_PARSE_ARGS/.test(String(error.code));
  return isOfParser ? new UsageError((error as Error).message) : error;
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
      `${option} is a time in seconds, or with ms, s, m, h or d, not ${JSON.stringify(text)}`,
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
    throw new UsageError(`${option} is an exit code from 0 to 255, not ${JSON.stringify(text)}`);
  }
  return code;
}

/** Of TCP; 0 is any that is free. @throws UsageError */
export function readPort(text: string, option: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port <= 65_535) return port;
  throw new UsageError(`${option} is a port from 0 to 65535, not ${JSON.stringify(text)}`);
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
  throw new UsageError(`${option} is ${choices.join(', ')}, not ${JSON.stringify(text)}`);
}

/** Just one, as `kds why NAME` has it. @throws UsageError */
export function readOnly(positionals: readonly string[], what: string): string {
  const [only, ...more] = positionals;
  if (only === undefined) throw new UsageError(`${what} is missing`);
  if (more.length > 0) throw new UsageError(`one ${what} at a time, not ${more.length + 1}`);
  return only;
}

/** @throws UsageError */
export function readNone(positionals: readonly string[]): void {
  const [first] = positionals;
  if (first !== undefined) throw new UsageError(`nothing is known of ${JSON.stringify(first)}`);
}
