/** The way to the broker: a socket to the one that serves, or to one that is started for that. */

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, lstatSync, lutimesSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { UnavailableError } from '../../../api/errors.ts';
import { clearRealTimeout, setRealTimeout } from '../../../runtime/real-time.ts';
import { replaceInheritable } from '../wire/descriptors.ts';
import { checkPlace, codeOf, isNobodyThere, unusable } from '../wire/socket-path.ts';

/** How long a broker may take to start, in ms. */
const startMsMax = 10_000;

/** Whoever says for longer, in ms, that it is starting a broker, may be dead. */
const noticeMsMax = 2000;

/** The broker has ended, as it was idle, or lets nobody in just now: it can be tried again. */
export class BrokerGoneError extends Error {
  override readonly name = 'BrokerGoneError';
}

export interface BrokerPlace {
  readonly socketPath: string;
  /** Whether to start a broker if there is none. */
  readonly start: boolean;
  /** The file that Node runs as the broker. */
  readonly program: string;
  /** For one that is started: how long it stays without a client, in ms. */
  readonly idleMs: number;
  /** For one that is started: how long its clients can claim what they hold, in ms. */
  readonly graceMs: number;
}

/**
 * The broker's program: `$KDS_BROKER_PROGRAM`, or the one that stands beside this module in the
 * package.
 */
export function defaultProgram(env: NodeJS.ProcessEnv = process.env): string {
  const { KDS_BROKER_PROGRAM: chosen } = env;
  if (chosen !== undefined && chosen !== '') return chosen;
  return fileURLToPath(new URL('./broker-server.js', import.meta.url));
}

/**
 * A connected socket.
 *
 * @throws UnavailableError if nobody serves there and none is to be started, or none could be;
 * BrokerGoneError if one could be tried again.
 */
export async function reachBroker(place: BrokerPlace): Promise<Socket> {
  const { socketPath } = place;
  checkPlace(socketPath);
  const socket = await dial(socketPath);
  if (socket !== undefined) return socket;
  if (!place.start) throw new UnavailableError(`no broker serves at ${socketPath}`);
  const notice = `${socketPath}.starting`;
  if (!announce(notice)) throw new BrokerGoneError('somebody else is starting a broker');
  try {
    await startBroker(place);
  } finally {
    withdraw(notice);
  }
  const started = await dial(socketPath);
  if (started !== undefined) return started;
  throw new BrokerGoneError(`the broker at ${socketPath} has started, and ended at once`);
}

/**
 * Says that a broker is being started, lest fifty who come at once start fifty. False if somebody
 * else has said so and may still be at it. That is all it is for: two that start do no harm.
 */
function announce(notice: string): boolean {
  try {
    writeFileSync(notice, '', { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    // Of anything else the broker itself can tell more.
    if (codeOf(error) !== 'EEXIST') return true;
  }
  try {
    const stats = lstatSync(notice);
    // Of anything else but a file, and of a disk with a clock of its own, nothing can be told.
    if (stats.isFile() && Math.abs(Date.now() - stats.mtimeMs) < noticeMsMax) return false;
    lutimesSync(notice, new Date(), new Date());
  } catch (error) {
    // It has just been taken away; whatever else is wrong, the broker itself can tell more.
    return codeOf(error) !== 'ENOENT';
  }
  return true;
}

function withdraw(notice: string): void {
  try {
    rmSync(notice, { force: true });
  } catch {
    // It is no file, or cannot be deleted: it is of no weight in a while.
  }
}

/** Undefined if nobody serves there. */
function dial(socketPath: string): Promise<Socket | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
    socket.once('error', (error) => {
      if (isNobodyThere(error)) resolve(undefined);
      else if (codeOf(error) === 'EAGAIN') reject(new BrokerGoneError('too many ask to be let in'));
      else reject(unusable(socketPath, error));
    });
  });
}

/**
 * Starts a broker in a session of its own, so that it outlives the terminal and whoever started it.
 * Resolves when that one, or another one that was quicker, serves.
 */
function startBroker(place: BrokerPlace): Promise<void> {
  const { program } = place;
  if (!existsSync(program)) {
    throw new UnavailableError(
      `the broker's program is not at ${program}: set KDS_BROKER_PROGRAM to the file ` +
        'dist/broker-server.js of the package kds',
    );
  }
  const child = spawnBroker(place);
  return new Promise((resolve, reject) => {
    let said = '';
    const timer = setRealTimeout(() => {
      finish(new UnavailableError(`a broker did not start within ${startMsMax} ms`));
    }, startMsMax);
    const finish = (error?: UnavailableError): void => {
      clearRealTimeout(timer);
      child.stdout?.destroy();
      child.unref();
      if (error === undefined) resolve();
      else reject(error);
    };
    child.once('error', (error) => finish(unusable(process.execPath, error)));
    // Missing if too few descriptors were left; the error says so.
    child.stdout?.setEncoding('utf8');
    child.stdout?.on('data', (text: string) => {
      said += text;
      if (said.startsWith('ready\n')) finish();
    });
    child.stdout?.on('end', () => {
      finish(new UnavailableError(`a broker did not start: ${said.trim() || 'it gave no reason'}`));
    });
  });
}

/** The child has nothing of this process but its environment. */
function spawnBroker({ socketPath, program, idleMs, graceMs }: BrokerPlace): ChildProcess {
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
