/**
 * Where the socket is: in a directory of the user's own, or where KDS_SOCKET says. Whoever can put
 * a socket there could pose as the broker, so a place that others can write to is refused.
 */

import { lstatSync, mkdirSync, type Stats, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { UnavailableError, UnsupportedError } from '../../domain/errors.ts';
import { describe } from '../../domain/sets.ts';
import { socketPathBytesMax } from './limits.ts';

const othersMay = 0o077;
const othersMayWrite = 0o022;
const sticky = 0o1000;

/**
 * `$KDS_SOCKET`; or `kds/broker.sock` in `$XDG_RUNTIME_DIR`, which the system gives each user; or
 * in the directory for temporary files, under a name with the user's number.
 *
 * @throws UnsupportedError where there are no users and no Unix sockets.
 */
export function defaultSocketPath(env: NodeJS.ProcessEnv = process.env): string {
  const { KDS_SOCKET: chosen, XDG_RUNTIME_DIR: runtimeFolder } = env;
  if (chosen !== undefined && chosen !== '') return chosen;
  if (runtimeFolder !== undefined && isAbsolute(runtimeFolder)) {
    return join(runtimeFolder, 'kds', 'broker.sock');
  }
  return join(tmpdir(), `kds-${userId()}`, 'broker.sock');
}

/**
 * Sees to it that the socket's directory is there and that only this user, or root, could have put
 * the socket there. A directory that is missing is made, if only its parent is there.
 *
 * @throws UnavailableError, TypeError, UnsupportedError
 */
export function checkPlace(socketPath: string): void {
  if (typeof socketPath !== 'string' || !isAbsolute(socketPath) || socketPath.includes('\0')) {
    throw new TypeError(`the path of a socket is absolute, not ${describe(socketPath)}`);
  }
  const byteCount = Buffer.byteLength(socketPath);
  if (byteCount > socketPathBytesMax) {
    throw new UnavailableError(
      `the path of the socket has ${byteCount} bytes, over the limit of ${socketPathBytesMax}: ` +
        `set KDS_SOCKET to a shorter one than ${socketPath}`,
    );
  }
  const folder = dirname(socketPath);
  const isMine = makeFolder(folder);
  // What is in a directory that only we can write to was put there by us.
  if (!isMine) checkShared(folder, socketPath);
}

/** Whether the directory is this user's own and nobody else's, as one that is made here is. */
function makeFolder(folder: string): boolean {
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw unusable(folder, error);
  }
  // Not where a symbolic link leads: whoever made the link could lead it elsewhere later.
  const stats = look(folder);
  return stats.isDirectory() && stats.uid === userId() && (stats.mode & othersMay) === 0;
}

/** A directory that others can look into is good enough if what is in it can only be ours. */
function checkShared(folder: string, socketPath: string): void {
  const stats = look(folder);
  if (stats.isSymbolicLink()) throw refused(folder, 'is a symbolic link');
  if (!stats.isDirectory()) throw refused(folder, 'is no directory');
  if (!isTrusted(stats)) throw refused(folder, `belongs to user ${stats.uid}`);
  const isOpenToOthers = (stats.mode & othersMayWrite) !== 0 && (stats.mode & sticky) === 0;
  if (isOpenToOthers) throw refused(folder, 'can be written to by others');
  for (const lookAt of [lstatSync, statSync]) {
    try {
      const socket = lookAt(socketPath);
      if (!isTrusted(socket)) throw refused(socketPath, `belongs to user ${socket.uid}`);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
    }
  }
}

function isTrusted({ uid }: Stats): boolean {
  return uid === userId() || uid === 0;
}

function look(path: string): Stats {
  try {
    return lstatSync(path);
  } catch (error) {
    throw unusable(path, error);
  }
}

function userId(): number {
  const id = process.getuid?.();
  if (id === undefined) {
    throw new UnsupportedError('the broker needs Unix sockets and users, which this system lacks');
  }
  return id;
}

function refused(path: string, why: string): UnavailableError {
  return new UnavailableError(
    `${path} ${why}, so somebody else could pose as the broker: ` +
      'give the directory to yourself, with mode 0700, or set KDS_SOCKET to another place',
  );
}

/** Something about a place did not work, and why. */
export function unusable(path: string, error: unknown): UnavailableError {
  const why = error instanceof Error ? error.message : String(error);
  return new UnavailableError(`the broker cannot use ${path}: ${why}`);
}

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

/**
 * Whether a connection failed as nobody serves there: the socket is not there, or nobody listens to
 * it, or whoever did has died before it let this one in.
 */
export function isNobodyThere(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ECONNRESET';
}
