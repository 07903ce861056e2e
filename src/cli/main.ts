#!/usr/bin/env node
/**
 * The command `kds`. In the build, all that `kds run` needs is in this one file, since most of its
 * time is Node's reading of files; the other commands are in a second file, loaded on demand.
 */

import { readFileSync } from 'node:fs';
import { isKdsError, type KdsErrorCode } from '../api/errors.ts';
import { isUsageError, UsageError } from './arguments.ts';
import { exitCode } from './exit-codes.ts';
import { escaped, inShellWords, report } from './messages.ts';
import { didYouMean } from './near-words.ts';
import { run } from './run.ts';

async function main([name = '', ...args]: readonly string[]): Promise<number> {
  if (process.env['KDS_TRACE']) await trace(name);
  if (name === 'run') return (await run(args)) ?? (await help(name));
  if (name === 'help') return help(args[0] ?? '');
  if (name === '--help' || name === '-h') return help('');
  if (name === '--version' || name === '-V') return version();
  if (name === '') throw new UsageError('a command is missing');
  const { commands } = await import('./commands.ts');
  if (!Object.hasOwn(commands, name)) throw await unknownCommand(name);
  return (await commands[name]?.(args)) ?? (await help(name));
}

/** `serve` traces by itself; other commands have no sets of their own. */
async function trace(name: string): Promise<void> {
  if (name === 'run' || name === 'batch') (await import('./commands.ts')).traceOrWarn();
}

async function unknownCommand(name: string): Promise<UsageError> {
  const { commands } = await import('./commands.ts');
  const names = ['run', 'help', ...Object.keys(commands)];
  // Options come first with flock(1), which has no commands.
  const isOption = name.startsWith('-');
  const near = isOption
    ? ': a command comes before its options, as in kds run -x NAME COMMAND'
    : didYouMean(name, names);
  return new UsageError(`unknown command ${escaped(JSON.stringify(name))}${near}`);
}

async function help(command: string): Promise<number> {
  const { helpOf } = await import('./commands.ts');
  const text = helpOf(command);
  if (text === undefined) throw await unknownCommand(command);
  process.stdout.write(`${text}\n`);
  return exitCode.done;
}

function version(): number {
  const file = new URL('../package.json', import.meta.url);
  const { version: number } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  process.stdout.write(`kds ${number}\n`);
  return exitCode.done;
}

const codesOfCaller: ReadonlySet<KdsErrorCode> = new Set([
  'KDS_LIMIT',
  'KDS_INVALID_SET',
  'KDS_DEADLOCK',
]);

/** Reports an error and returns its exit code. */
function codeOfError(error: unknown): number {
  if (isUsageError(error)) {
    report(inShellWords(error.message));
    report('see kds --help and kds COMMAND --help');
    return exitCode.usage;
  }
  if (!isKdsError(error)) {
    report(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return exitCode.internal;
  }
  report(inShellWords(error.message));
  if (isKdsError(error, 'KDS_DEADLOCK')) {
    report('this command runs within an outer kds run: name all resources in the outer one, or,');
    report('if the outer one does not wait for this command, start it with env -u KDS_UNDER');
  }
  if (isKdsError(error, 'KDS_CAPACITY')) return exitCode.capacity;
  return codesOfCaller.has(error.code) ? exitCode.usage : exitCode.unavailable;
}

main(process.argv.slice(2))
  .catch(codeOfError)
  .then((code) => {
    process.exitCode = code;
  });
