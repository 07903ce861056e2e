/**
 * `kds run`: acquires a set, runs a command, and releases the set when the command has ended.
 *
 * The connection belongs to this process and is not passed on. So the set is released when the
 * command ends, whatever it has left running. If this process is killed, a broker releases the set
 * as the kernel closes the connection, and Redis when the lease has ended.
 */

import type { Domain } from '../api/domain.ts';
import { isKdsError } from '../api/errors.ts';
import type { Grant } from '../api/grant.ts';
import { openBrokerDomain } from '../backends/broker/index.ts';
import { environmentUnder } from './command-environment.ts';
import { CannotRunError, runCommand } from './command-process.ts';
import { exitCode, exitCodeOfSignal } from './exit-codes.ts';
import { endWhenLost } from './lost-command.ts';
import { inShellWords, printable, report } from './messages.ts';
import type { OpenedDomain } from './opened-domain.ts';
import { type RunArguments, readRunArguments } from './run-arguments.ts';
import { dieInterrupted, SignalsCaught } from './terminal-signals.ts';
import { firstNameOf, setSpecOf } from './units-argument.ts';

/** Time until a wait is explained on a terminal, ms. */
const noticeMs = 1000;

/** A signal ended the wait. */
class Stopped {
  readonly signal: NodeJS.Signals;

  constructor(signal: NodeJS.Signals) {
    this.signal = signal;
  }
}

/** Undefined if help is requested. */
export async function run(args: readonly string[]): Promise<number | undefined> {
  const wanted = readRunArguments(args);
  if (wanted === undefined) return undefined;
  const stop = new AbortController();
  // No effect once the set is granted.
  const signals = new SignalsCaught((signal) => stop.abort(new Stopped(signal)));
  let opened: OpenedDomain | undefined;
  let code: number;
  try {
    opened = await unlessAborted(open(wanted), stop.signal);
    const grant = await take(opened.domain, wanted, stop.signal);
    try {
      code = await codeOfCommand(wanted, grant, signals);
    } finally {
      void grant.release();
    }
  } catch (error) {
    code = codeOfEnd(error, wanted);
  } finally {
    await opened?.close();
  }
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
  { set, timeoutMs, label }: RunArguments,
  signal: AbortSignal,
): Promise<Grant> {
  const acquiring = domain.acquire(setSpecOf(set), { timeoutMs, label, signal });
  const notice = setTimeout(() => void reportWait(domain), noticeMs);
  try {
    const grant = await acquiring;
    signal.throwIfAborted();
    return grant;
  } finally {
    clearTimeout(notice);
  }
}

async function reportWait(domain: Domain): Promise<void> {
  const { reportBlockers } = await import('./commands.ts');
  await reportBlockers(domain);
}

/** The result of the command as an exit code. */
async function codeOfCommand(
  wanted: RunArguments,
  grant: Grant,
  signals: SignalsCaught,
): Promise<number> {
  const [program = '', ...args] = wanted.command;
  try {
    const env = environmentUnder(grant, wanted.set);
    const { code, signal } = await runCommand({ program, args, stdin: 'inherit', env }, (child) => {
      signals.forwardTo(() => [child]);
      endWhenLost(child, grant.signal, wanted.lostPolicy, report);
    });
    return signal === null ? (code ?? exitCode.internal) : exitCodeOfSignal(signal);
  } catch (error) {
    if (!(error instanceof CannotRunError)) throw error;
    report(`cannot run ${printable(program)}: ${error.message}`);
    return error.exitCode;
  } finally {
    signals.stopForwarding();
  }
}

/** @throws any error other than a set that was not granted. */
function codeOfEnd(error: unknown, { set, notGrantedCode, timeoutMs }: RunArguments): number {
  if (error instanceof Stopped) return exitCodeOfSignal(error.signal);
  if (!isKdsError(error, 'KDS_WAIT_TIMEOUT')) throw error;
  // As with flock, a request that never waits reports by the exit code alone.
  if (timeoutMs !== 0) report(inShellWords(error.message, firstNameOf(set)));
  return notGrantedCode;
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    promise.then(resolve, reject);
  });
}
