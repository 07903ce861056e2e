/**
 * `kds run`: takes a set, runs a command, and lets go when the command is gone.
 *
 * The connection is this process's own and is not passed on. So the set is let go of when the
 * command ends, whatever it has left running; and if this process is killed, at once by the
 * kernel's word to a broker, or in Redis when its lease has ended.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import type { Domain } from '../domain/domain.ts';
import type { Grant } from '../domain/grant.ts';
import { openBrokerDomain } from '../hosts/broker/index.ts';
import { environmentUnder } from './command-environment.ts';
import { exitCode, exitCodeOfSignal } from './exit-codes.ts';
import { say, shown } from './messages.ts';
import type { OpenedDomain } from './open-domain.ts';
import { type RunArguments, readRunArguments } from './run-arguments.ts';
import { catchSignals, dieInterrupted, type SignalsCaught } from './terminal-signals.ts';

/** Somebody who waits on a terminal is told what for, after so long, in ms. */
const noticeMs = 1000;

/** A signal came while it waited. */
class Stopped {
  readonly signal: NodeJS.Signals;

  constructor(signal: NodeJS.Signals) {
    this.signal = signal;
  }
}

/** Undefined if it is help that is wanted. */
export async function run(args: readonly string[]): Promise<number | undefined> {
  const wanted = readRunArguments(args);
  if (wanted === undefined) return undefined;
  const stop = new AbortController();
  const signals = catchSignals((signal) => stop.abort(new Stopped(signal)));
  let opened: OpenedDomain | undefined;
  let code: number;
  try {
    opened = await unlessAborted(open(wanted), stop.signal);
    const grant = await take(opened.domain, wanted, stop.signal);
    code = await runCommand(wanted, grant, signals);
    void grant.release();
  } catch (error) {
    code = codeOfEnd(error, wanted);
  }
  await opened?.close();
  const isInterrupted = code === exitCodeOfSignal('SIGINT') && signals.isInterruptedByKey;
  if (isInterrupted) dieInterrupted();
  return code;
}

async function open({ address, label, command }: RunArguments): Promise<OpenedDomain> {
  const opening = { label, command: command.join(' ') };
  if (address.at === 'redis') {
    const { openInRedis } = await import('./commands.ts');
    return openInRedis(address, opening);
  }
  const domain = await openBrokerDomain({ socket: address.socketPath, ...opening });
  return { domain, close: () => domain.close() };
}

/** @throws Stopped, and what `acquire` rejects with. */
async function take(
  domain: Domain,
  { exclusive, shared, timeoutMs, label }: RunArguments,
  signal: AbortSignal,
): Promise<Grant> {
  const asking = domain.acquire({ exclusive, shared }, { timeoutMs, label, signal });
  const notice = setTimeout(() => void tellWait(domain), noticeMs);
  try {
    const grant = await asking;
    signal.throwIfAborted();
    return grant;
  } finally {
    clearTimeout(notice);
  }
}

async function tellWait(domain: Domain): Promise<void> {
  const { tellWhatIsWaitedFor } = await import('./commands.ts');
  await tellWhatIsWaitedFor(domain);
}

/** What comes of the command, whatever it is, as an exit code. */
function runCommand(wanted: RunArguments, grant: Grant, signals: SignalsCaught): Promise<number> {
  const [program = '', ...args] = wanted.command;
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      stdio: 'inherit',
      env: environmentUnder(grant, wanted.exclusive, wanted.shared),
    });
    child.once('error', (error) => {
      // What it says of a command that runs is of no consequence: that one goes on.
      if (child.pid !== undefined) return;
      const isMissing = 'code' in error && error.code === 'ENOENT';
      say(`cannot run ${shown(program)}: ${reasonOf(error)}`);
      resolve(isMissing ? exitCode.notFound : exitCode.cannotRun);
    });
    child.once('exit', (code, signal) => {
      resolve(signal === null ? (code ?? exitCode.internal) : exitCodeOfSignal(signal));
    });
    if (child.pid === undefined) return;
    signals.child = child;
    grant.signal.addEventListener('abort', () => endCommand(child, wanted), { once: true });
    if (grant.signal.aborted) endCommand(child, wanted);
  });
}

/** The set was taken away: the command must not go on as if it had it. */
function endCommand(child: ChildProcess, { onLost, killAfterMs }: RunArguments): void {
  const isOver = child.exitCode !== null || child.signalCode !== null;
  if (isOver) return;
  if (onLost === 'ignore') {
    say('the set was taken away; the command goes on, as --on-lost=ignore says');
    return;
  }
  const signal = onLost === 'kill' ? 'SIGKILL' : 'SIGTERM';
  say(`the set was taken away: the command is sent ${signal}`);
  child.kill(signal);
  if (onLost === 'kill') return;
  // One that is stopped hears of nothing else.
  child.kill('SIGCONT');
  const timer = setTimeout(() => {
    say(`the command has not ended since: it is sent SIGKILL`);
    child.kill('SIGKILL');
  }, killAfterMs);
  child.once('exit', () => clearTimeout(timer));
}

/** @throws what is not about the set not being granted. */
function codeOfEnd(error: unknown, { notGrantedCode, timeoutMs }: RunArguments): number {
  if (error instanceof Stopped) return exitCodeOfSignal(error.signal);
  const isLate = error instanceof Error && 'code' in error && error.code === 'KDS_WAIT_TIMEOUT';
  if (!isLate) throw error;
  // Like flock, who asks to have it now or never is told by the exit code alone.
  if (timeoutMs !== 0) say(error.message);
  return notGrantedCode;
}

function reasonOf(error: Error): string {
  const code = 'code' in error ? String(error.code) : '';
  if (code === 'ENOENT') return 'there is no such program';
  if (code === 'EACCES') return 'it may not be run';
  return error.message;
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    promise.then(resolve, reject);
  });
}
