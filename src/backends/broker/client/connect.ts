/** Connecting to the broker that serves, or to one that is started. */

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, lstatSync, lutimesSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { UnavailableError } from '../../../api/errors.ts';
import type { Clock } from '../../../runtime/clock.ts';
import { replaceInheritable } from '../wire/descriptors.ts';
import { checkSocketPath, codeOf, isNobodyThere, unusable } from '../wire/socket-path.ts';

/** Time limit of a broker's start, ms. */
const startMsMax = 10_000;

/** Pause, ms, between two attempts to connect to another broker while one is being started. */
const otherMs = 200;

/** Age, ms, from which the notice of a starting broker is ignored: its process may be dead. */
const noticeMsMax = 2000;

/** The broker has ended, as it was idle, or accepts no connection just now: try again. */
export class BrokerGoneError extends Error {
  override readonly name = 'BrokerGoneError';
}

export interface BrokerAddress {
  readonly socketPath: string;
  /** Whether to start a broker if there is none. */
  readonly start: boolean;
  /** The file that Node runs as the broker. */
  readonly program: string;
  /** For a broker that is started: ms that it stays without a client. */
  readonly idleMs: number;
  /** For a broker that is started: ms in which clients can claim what they hold. */
  readonly graceMs: number;
}

/** The broker's program: `$KDS_BROKER_PROGRAM`, or the file beside this module in the package. */
export function defaultProgram(env: NodeJS.ProcessEnv = process.env): string {
  const { KDS_BROKER_PROGRAM: chosen } = env;
  if (chosen !== undefined && chosen !== '') return chosen;
  return fileURLToPath(new URL('./broker-server.js', import.meta.url));
}

/**
 * A connected socket.
 *
 * @throws UnavailableError if no broker serves there and none is to be started, or none could be;
 * BrokerGoneError if it can be tried again.
 */
export async function connectToBroker(address: BrokerAddress, clock: Clock): Promise<Socket> {
  const { socketPath } = address;
  checkSocketPath(socketPath);
  const socket = await connectTo(socketPath);
  if (socket !== undefined) return socket;
  if (!address.start) throw new UnavailableError(`no broker serves at ${socketPath}`);
  const notice = `${socketPath}.starting`;
  if (!announce(notice, clock.epochMs()))
    throw new BrokerGoneError('another process is starting a broker');
  let other: Socket | undefined;
  try {
    other = await startBroker(address, clock);
  } finally {
    withdraw(notice);
  }
  const started = other ?? (await connectTo(socketPath));
  if (started !== undefined) return started;
  throw new BrokerGoneError(`the broker at ${socketPath} has started, and ended at once`);
}

/**
 * Leaves a notice that a broker is being started, so that fifty clients that come at once do not
 * start fifty. False if another process has left one and may still be at it. Two that start do no
 * harm.
 */
function announce(notice: string, epochMs: number): boolean {
  try {
    writeFileSync(notice, '', { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    // A broker is started all the same, as its own error is more precise.
    if (codeOf(error) !== 'EEXIST') return true;
  }
  try {
    const stats = lstatSync(notice);
    // Anything but a file, and a disk with a clock of its own, has no age.
    if (stats.isFile() && Math.abs(epochMs - stats.mtimeMs) < noticeMsMax) return false;
    lutimesSync(notice, new Date(epochMs), new Date(epochMs));
  } catch (error) {
    // ENOENT: it was removed just now. With other errors a broker is started all the same.
    return codeOf(error) !== 'ENOENT';
  }
  return true;
}

function withdraw(notice: string): void {
  try {
    rmSync(notice, { force: true });
  } catch {
    // It is no file, or cannot be deleted: it is ignored in a while.
  }
}

/** Undefined if no broker serves there. */
function connectTo(socketPath: string): Promise<Socket | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
    socket.once('error', (error) => {
      if (isNobodyThere(error)) resolve(undefined);
      else if (codeOf(error) === 'EAGAIN')
        reject(new BrokerGoneError('too many clients connect at once'));
      else reject(unusable(socketPath, error));
    });
  });
}

/**
 * Starts a broker in a session of its own, so that it outlives the terminal and this process.
 * Resolves when that broker, or one that was quicker, serves. If the child hangs while another
 * broker serves, a socket to that one is the result: a client that waited for the child alone would
 * miss the time of grace. The child may go on, and then finds the other broker.
 */
function startBroker(address: BrokerAddress, clock: Clock): Promise<Socket | undefined> {
  const { program, socketPath } = address;
  if (!existsSync(program)) {
    throw new UnavailableError(
      `the broker's program is not at ${program}: set KDS_BROKER_PROGRAM to the file ` +
        'dist/broker-server.js of the package kds',
    );
  }
  const child = spawnBroker(address);
  return new Promise((resolve, reject) => {
    let output = '';
    let isOver = false;
    const stopTimer = clock.after(startMsMax, () => {
      finish(new UnavailableError(`a broker did not start within ${startMsMax} ms`));
    });
    let stopPause: () => void = () => undefined;
    const tryOther = async (): Promise<void> => {
      // An error may pass, and the child prints its own.
      const socket = await connectTo(socketPath).catch(() => undefined);
      if (isOver) socket?.destroy();
      else if (socket !== undefined) finish(socket);
      else tryLater();
    };
    const tryLater = (): void => {
      stopPause = clock.after(otherMs, () => void tryOther());
    };
    const finish = (result?: UnavailableError | Socket): void => {
      if (isOver) return;
      isOver = true;
      stopTimer();
      stopPause();
      child.stdout?.destroy();
      // In Deno a child that was not started has no handle to unref.
      if (child.pid !== undefined) child.unref();
      if (result instanceof UnavailableError) reject(result);
      else resolve(result);
    };
    tryLater();
    child.once('error', (error) => finish(unusable(process.execPath, error)));
    // Missing if too few descriptors were left; the event `error` then has the cause.
    child.stdout?.setEncoding('utf8');
    child.stdout?.on('data', (text: string) => {
      output += text;
      if (output.startsWith('ready\n')) finish();
    });
    child.stdout?.on('end', () => {
      finish(
        new UnavailableError(`a broker did not start: ${output.trim() || 'it gave no reason'}`),
      );
    });
  });
}

/** The child inherits nothing of this process but its environment. */
function spawnBroker({ socketPath, program, idleMs, graceMs }: BrokerAddress): ChildProcess {
  const { NODE_OPTIONS: _, NODE_CHANNEL_FD: __, ...env } = process.env;
  try {
    const inherited = replaceInheritable();
    const args = [program, socketPath, String(idleMs), String(graceMs), inherited.fds.join(',')];
    try {
      return spawn(process.execPath, args, {
        cwd: '/',
        detached: true,
        env,
        stdio: ['ignore', 'pipe', 'ignore', ...inherited.stdio],
      });
    } finally {
      inherited.close();
    }
  } catch (error) {
    throw unusable(process.execPath, error);
  }
}
