/** The process of a line of `kds batch`. */

import { type ChildProcess, spawn } from 'node:child_process';
import type { Grant } from '../domain/grant.ts';
import type { BatchLine } from './batch-lines.ts';
import { environmentUnder } from './command-environment.ts';
import { exitCodeOfSignal } from './exit-codes.ts';

/** It ended otherwise than with exit code 0. */
export class CommandFailedError extends Error {
  override readonly name = 'CommandFailedError';
  /** As a shell tells it; undefined if it could not be run. */
  readonly exitCode: number | undefined;

  constructor(message: string, exitCode: number | undefined) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Words that no shell would take for anything else; the first one assigns nothing. */
const plainWords = /^[\w@%+:,./-]+(?: +[\w@%+=:,./-]+)*$/;

/**
 * Runs a line's command. Resolves when it has ended with 0. `onStart` is given what can be sent
 * signals, one process after the other.
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
      // As make does it: a shell that has nothing to do costs as much as a small command.
      return await runProgram(line.run.split(/ +/), line, grant, onStart);
    } catch (error) {
      const mayBeOfShell = error instanceof CommandFailedError && error.exitCode === undefined;
      if (!mayBeOfShell) throw error;
    }
  }
  return runProgram(['/bin/sh', '-c', line.run], line, grant, onStart);
}

function runProgram(
  [program = '', ...args]: readonly string[],
  line: BatchLine,
  grant: Grant,
  onStart: (child: ChildProcess) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: environmentUnder(grant, line.writes, line.reads, { ...process.env, ...line.env }),
      cwd: line.cwd,
    });
    child.once('error', (error) => {
      if (child.pid !== undefined) return;
      reject(new CommandFailedError(`cannot be run: ${error.message}`, undefined));
    });
    child.once('exit', (code, signal) => {
      if (code === 0) resolve();
      else if (signal !== null) reject(failedBy(signal));
      else reject(new CommandFailedError(`exit code ${code}`, code ?? undefined));
    });
    if (child.pid !== undefined) onStart(child);
  });
}

function failedBy(signal: NodeJS.Signals): CommandFailedError {
  return new CommandFailedError(`ended by ${signal}`, exitCodeOfSignal(signal));
}
