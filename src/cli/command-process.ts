/** Starts a command under a grant, and describes why one cannot be started. */

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { exitCode } from './exit-codes.ts';
import { isHangupIgnored } from './hangup.ts';
import { VariableFiles } from './variable-files.ts';

export interface CommandStart {
  readonly program: string;
  readonly args: readonly string[];
  /** Output and errors are always those of kds. */
  readonly stdin: 'inherit' | 'ignore';
  readonly env: NodeJS.ProcessEnv;
  readonly cwd?: string | undefined;
}

/** The command was not started. */
export class CannotRunError extends Error {
  override readonly name = 'CannotRunError';
  /** As of env(1). */
  readonly exitCode: number;

  constructor(message: string, code: number) {
    super(message);
    this.exitCode = code;
  }
}

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/**
 * Resolves as the command ends. `onStart` is called with its process, before anything else happens
 * in this one.
 *
 * @throws CannotRunError
 */
export async function runCommand(
  start: CommandStart,
  onStart: (child: ChildProcess) => void,
): Promise<Ending> {
  const files = new VariableFiles(start.env);
  try {
    return await endingOf(spawnFitting(start, files), onStart);
  } catch (error) {
    throw describeFailure(error, start);
  } finally {
    files.remove();
  }
}

/** If the environment is too long, the variables of kds are moved to files. */
function spawnFitting(start: CommandStart, files: VariableFiles): ChildProcess {
  files.moveLong();
  try {
    return spawnIn(start, files.env);
  } catch (error) {
    // The system and `ulimit -s` also limit the sum: only the kernel knows that limit.
    if (codeOf(error) !== 'E2BIG' || !files.moveAll()) throw error;
    return spawnIn(start, files.env);
  }
}

function spawnIn({ program, args, stdin, cwd }: CommandStart, env: NodeJS.ProcessEnv) {
  // Node resets ignored signals, and would do so for the command.
  const words = isHangupIgnored
    ? ['/bin/sh', '-c', 'trap "" HUP; exec "$0" "$@"', program, ...args]
    : [program, ...args];
  return spawn(words[0] as string, words.slice(1), {
    stdio: [stdin, 'inherit', 'inherit'],
    env,
    cwd,
  });
}

function endingOf(child: ChildProcess, onStart: (child: ChildProcess) => void): Promise<Ending> {
  return new Promise((resolve, reject) => {
    child.once('error', (error) => {
      // Errors of a running command, such as a failed kill, do not concern its start.
      if (child.pid === undefined) reject(error);
    });
    child.once('exit', (code, signal) => resolve({ code, signal }));
    if (child.pid !== undefined) onStart(child);
  });
}

function describeFailure(error: unknown, { program, args, cwd }: CommandStart): unknown {
  if (!(error instanceof Error)) return error;
  const code = codeOf(error);
  if (!('syscall' in error) || !String(error.syscall).startsWith('spawn')) {
    const what = `cannot write the file for its environment: ${error.message}`;
    return new CannotRunError(what, exitCode.cannotRun);
  }
  if (code === 'ENOENT' && cwd !== undefined && !existsSync(cwd)) {
    return new CannotRunError(`no such directory: ${cwd}`, exitCode.cannotRun);
  }
  if (code === 'ENOENT') {
    const isThere = program.includes('/') && existsSync(program);
    const what = isThere ? 'its interpreter does not exist' : 'no such program';
    return new CannotRunError(what, exitCode.notFound);
  }
  if (code === 'E2BIG') {
    const bytes = args.reduce((sum, arg) => sum + Buffer.byteLength(arg) + 1, 0);
    const what = 'its arguments and environment are too long for this system';
    return new CannotRunError(`${what} (${bytes} bytes of arguments)`, exitCode.cannotRun);
  }
  if (code === 'EACCES') return new CannotRunError('permission denied', exitCode.cannotRun);
  return new CannotRunError(error.message, exitCode.cannotRun);
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
