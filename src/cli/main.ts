#!/usr/bin/env node
/**
 * The command `kds`. What `kds run` needs is in this one file, as built; each other command, and
 * what is said on the way, is loaded by who needs it.
 */

import { UsageError } from './arguments.ts';
import { exitCode } from './exit-codes.ts';
import { say } from './messages.ts';
import { run } from './run.ts';

type Command = (args: readonly string[]) => Promise<number | undefined>;

/** Loaded on demand; undefined is for those who want help. */
async function commandNamed(name: string): Promise<Command | undefined> {
  switch (name) {
    case 'run':
      return run;
    case 'batch':
      return (await import('./batch.ts')).batch;
    default:
      return undefined;
  }
}

async function main([name, ...args]: readonly string[]): Promise<number> {
  const command = await commandNamed(name ?? '');
  if (command === undefined) throw new UsageError(`there is no command ${JSON.stringify(name)}`);
  return (await command(args)) ?? exitCode.done;
}

/** What went wrong, for people and as an exit code. */
function codeOfError(error: unknown): number {
  if (error instanceof UsageError) {
    say(`${error.message}\nkds: see kds --help`);
    return exitCode.usage;
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code.startsWith('KDS_') && error instanceof Error) {
    say(error.message);
    return code === 'KDS_LIMIT' || code === 'KDS_INVALID_SET'
      ? exitCode.usage
      : exitCode.unavailable;
  }
  say(error instanceof Error ? (error.stack ?? error.message) : String(error));
  return exitCode.internal;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.exitCode = codeOfError(error);
}
