/** The arguments of `kds run`. Options that flock(1) has too have the same letters. */

import { labelLengthMax } from '../api/limits.ts';
import {
  checkNames,
  readDuration,
  readExitCode,
  readOptionsBefore,
  UsageError,
} from './arguments.ts';
import { type DomainAddress, readAddress } from './domain-address.ts';
import { exitCode } from './exit-codes.ts';
import { type LostPolicy, lostOptions, readLostPolicy } from './lost-command.ts';
import { type CommandSet, checkSet, readUnitsOption } from './units-argument.ts';

export interface RunArguments {
  readonly set: CommandSet;
  /** 0: do not wait; undefined: no limit. */
  readonly timeoutMs: number | undefined;
  readonly notGrantedCode: number;
  readonly label: string | undefined;
  readonly lostPolicy: LostPolicy;
  readonly address: DomainAddress;
  /** The program and its arguments; never empty. */
  readonly command: readonly string[];
}

const options = {
  exclusive: { type: 'string', short: 'x', multiple: true },
  // A letter without an option of its own stands for itself.
  e: { type: 'string', multiple: true },
  shared: { type: 'string', short: 's', multiple: true },
  units: { type: 'string', short: 'u', multiple: true },
  nonblock: { type: 'boolean', short: 'n' },
  nb: { type: 'boolean' },
  timeout: { type: 'string', short: 'w' },
  wait: { type: 'string' },
  'conflict-exit-code': { type: 'string', short: 'E' },
  close: { type: 'boolean', short: 'o' },
  command: { type: 'string', short: 'c' },
  label: { type: 'string' },
  ...lostOptions,
  domain: { type: 'string' },
  socket: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** Undefined if help is requested. @throws UsageError */
export function readRunArguments(args: readonly string[]): RunArguments | undefined {
  const { values, positionals } = readOptionsBefore(args, options);
  if (values.help) return undefined;
  const exclusive = [...(values.exclusive ?? []), ...(values.e ?? [])];
  const shared = values.shared ?? [];
  const { label } = values;
  checkNames(exclusive, '-x');
  checkNames(shared, '-s');
  const set = { exclusive, shared, units: (values.units ?? []).map(readUnitsOption) };
  checkSet(set);
  checkLabel(label);
  const wait = values.timeout ?? values.wait;
  const isNow = values.nonblock === true || values.nb === true;
  const timeoutMs = wait === undefined ? undefined : readDuration(wait, '-w');
  const code = values['conflict-exit-code'];
  const notGrantedCode = code === undefined ? exitCode.notGranted : readExitCode(code, '-E');
  const lostPolicy = readLostPolicy(values);
  const address = readAddress(values.domain, values.socket);
  const command = commandOf(values.command, positionals);
  if (exclusive.length + shared.length + set.units.length === 0) {
    throw new UsageError(
      'no resource is named: use at least one -x NAME, -s NAME or -u NAME=COUNT',
    );
  }
  return {
    set,
    timeoutMs: isNow ? 0 : timeoutMs,
    notGrantedCode,
    label,
    lostPolicy,
    address,
    command,
  };
}

function commandOf(script: string | undefined, positionals: readonly string[]): readonly string[] {
  if (script === undefined) {
    if (positionals.length === 0) throw new UsageError('a command to run is missing');
    if (positionals[0] === '') throw new UsageError('the name of the command is empty');
    return positionals;
  }
  if (positionals.length > 0) {
    throw new UsageError(
      '-c takes the whole command as one argument: further arguments are not allowed',
    );
  }
  return [process.env['SHELL'] || '/bin/sh', '-c', script];
}

function checkLabel(label: string | undefined): void {
  if (label !== undefined && label.length > labelLengthMax) {
    throw new UsageError(
      `label too long: ${label.length} characters, the limit is ${labelLengthMax}`,
    );
  }
}
