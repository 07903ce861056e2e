#!/usr/bin/env node
/**
 * The command `kds`. What `kds run` needs comes with this file, as built; what other commands need
 * is loaded by who calls them.
 */

import { readFileSync } from 'node:fs';
import { UsageError } from './arguments.ts';
import { exitCode } from './exit-codes.ts';
import { say } from './messages.ts';
import { run } from './run.ts';

/** Undefined, instead of an exit code, is for those who want help. */
type Command = (args: readonly string[]) => Promise<number | undefined>;

const commands: Readonly<Record<string, () => Promise<Command>>> = {
  run: async () => run,
  ls: async () => (await import('./ls.ts')).ls,
  why: async () => (await import('./why.ts')).why,
  break: async () => (await import('./break.ts')).breakGrants,
  top: async () => (await import('./top.ts')).top,
  serve: async () => (await import('./serve.ts')).serve,
  completion: async () => (await import('./completion.ts')).completion,
};

async function main([name = '', ...args]: readonly string[]): Promise<number> {
  if (Object.hasOwn(commands, name)) {
    const command = await commands[name]?.();
    return (await command?.(args)) ?? (await help(name));
  }
  if (name === 'help') return help(args[0] ?? '');
  if (name === '--help' || name === '-h') return help('');
  if (name === '--version' || name === '-V') return version();
  throw new UsageError(
    name === '' ? 'a command is missing' : `there is no command ${JSON.stringify(name)}`,
  );
}

async function help(command: string): Promise<number> {
  const { helpOf } = await import('./help.ts');
  const text = helpOf(command);
  if (text === undefined) throw new UsageError(`there is no command ${JSON.stringify(command)}`);
  process.stdout.write(`${text}\n`);
  return exitCode.done;
}

function version(): number {
  const file = new URL('../package.json', import.meta.url);
  const { version: told } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  process.stdout.write(`kds ${told}\n`);
  return exitCode.done;
}

/** What went wrong, for people and as an exit code. */
function codeOfError(error: unknown, name: string | undefined): number {
  if (error instanceof UsageError) {
    say(error.message);
    say(`see kds ${name !== undefined && Object.hasOwn(commands, name) ? `${name} ` : ''}--help`);
    return exitCode.usage;
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code.startsWith('KDS_') && error instanceof Error) {
    say(error.message);
    const isOfSet = code === 'KDS_LIMIT' || code === 'KDS_INVALID_SET';
    return isOfSet ? exitCode.usage : exitCode.unavailable;
  }
  say(error instanceof Error ? (error.stack ?? error.message) : String(error));
  return exitCode.internal;
}

const args = process.argv.slice(2);
try {
  process.exitCode = await main(args);
} catch (error) {
  process.exitCode = codeOfError(error, args[0]);
}
