/** The process of a line of `kds batch`. */

import type { ChildProcess } from 'node:child_process';
import type { Grant } from '../api/grant.ts';
import type { BatchLine } from './batch-lines.ts';
import { environmentUnder } from './command-environment.ts';
import { CannotRunError, runCommand } from './command-process.ts';
import { exitCodeOfSignal } from './exit-codes.ts';

/** The command did not end with exit code 0, or lost its set. */
export class CommandFailedError extends Error {
  override readonly name = 'CommandFailedError';
  /** As a shell reports it; undefined if the command could not be run. */
  readonly exitCode: number | undefined;

  constructor(message: string, exitCode: number | undefined) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Words without a special meaning in any shell; the first one is no assignment. */
const plainWords = /^[\w@%+:,./-]+(?: +[\w@%+=:,./-]+)*$/;

/**
 * Runs a line's command. Resolves when it has ended with 0. `onStart` is called with each of its
 * processes, which signals can be sent to.
 *
 * @throws CommandFailedError
 */
export async function runLine(
  line: BatchLine,
  grant: Grant,
  onStart: (child: ChildProcess) => void,
): Promise<void> {
  if (typeof line.run !== 'string') return runProgram(line.run, line, grant, onStart);
  if (plainWords.test(line.run)) {
    try {
      // As make does: a shell costs as much as a small command.
      return await runProgram(line.run.split(/ +/), line, grant, onStart);
    } catch (error) {
      const mayBeOfShell = error instanceof CommandFailedError && error.exitCode === undefined;
      if (!mayBeOfShell) throw error;
    }
  }
  return runProgram(['/bin/sh', '-c', line.run], line, grant, onStart);
}

async function runProgram(
  [program = '', ...args]: readonly string[],
  line: BatchLine,
  grant: Grant,
  onStart: (child: ChildProcess) => void,
): Promise<void> {
  try {
    const env = environmentUnder(grant, line.set, { ...process.env, ...line.env });
    const start = { program, args, stdin: 'ignore', env, cwd: line.cwd } as const;
    const { code, signal } = await runCommand(start, onStart);
    if (signal !== null) {
      throw new CommandFailedError(`ended by ${signal}`, exitCodeOfSignal(signal));
    }
    if (code !== 0) throw new CommandFailedError(`exit code ${code}`, code ?? undefined);
  } catch (error) {
    if (!(error instanceof CannotRunError)) throw error;
    throw new CommandFailedError(`cannot be run: ${error.message}`, undefined);
  }
}
