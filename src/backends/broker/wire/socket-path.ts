/**
 * Where the socket is: in a directory that follows from the user alone, or where KDS_SOCKET points
 * (docs/decisions/0014). A process that can put a socket there could pose as the broker, so a
 * directory that another user can change, or can exchange for another one, is refused.
 */

import { lstatSync, mkdirSync, readFileSync, realpathSync, type Stats } from 'node:fs';
import { dirname, isAbsolute, resolve } from 'node:path';
import { KdsError, UnavailableError, UnsupportedError } from '../../../api/errors.ts';
import { describe } from '../../../api/sets.ts';
import { socketPathBytesMax } from './limits.ts';

const ownerMayEnter = 0o100;
const othersMayWrite = 0o022;
const sticky = 0o1000;

/** How often a directory that is deleted meanwhile is made again. */
export const attemptsMax = 10;

/**
 * Returns the path of the broker's socket: `$KDS_SOCKET`, or `/tmp/kds-UID/broker.sock`. No other
 * variable changes it: a login shell, cron, sudo and `env -i` of one user have one broker.
 *
 * @param env - The environment. Default: that of this process.
 * @throws {@link UnsupportedError} on a system without numbered users and Unix sockets.
 * @waits Never.
 * @example
 * ```ts
 * import { defaultSocketPath } from 'kds/broker';
 *
 * console.log(defaultSocketPath({ KDS_SOCKET: '/run/mine/broker.sock' })); // /run/mine/broker.sock
 * ```
 * @since 0.1.0
 */
export function defaultSocketPath(
  env: Readonly<Record<string, string | undefined>> = process.env,
): string {
  const { KDS_SOCKET: chosen } = env;
  if (chosen !== undefined && chosen !== '') return chosen;
  return `/tmp/kds-${userId()}/broker.sock`;
}

/**
 * Makes the socket's directory if only its parent is there, and checks that only this user, or
 * root, can have put the socket into it.
 *
 * @throws UnavailableError, TypeError, UnsupportedError
 */
export function checkSocketPath(socketPath: string): void {
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
  for (let attempt = 1; ; attempt++) {
    makeFolder(folder);
    try {
      checkFolder(folder);
      checkAbove(folder);
      return;
    } catch (error) {
      // It was deleted just now, and is made again.
      if (codeOf(error) === 'ENOENT' && attempt < attemptsMax) continue;
      throw error instanceof KdsError ? error : unusable(folder, error);
    }
  }
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw unusable(folder, error);
  }
}

/** What is in a directory that only we can write to was put there by us. */
function checkFolder(folder: string): void {
  // Not where a symbolic link leads: the link's owner could lead it elsewhere later.
  const stats = lstatSync(folder);
  if (stats.isSymbolicLink()) throw refused(folder, 'is a symbolic link');
  if (!stats.isDirectory()) throw refused(folder, 'is no directory');
  if (!isTrusted(stats)) throw refused(folder, `belongs to user ${stats.uid}`);
  if ((stats.mode & othersMayWrite) !== 0) throw refused(folder, 'can be written to by others');
  // Root may enter any directory.
  if (userId() !== 0 && stats.uid === userId() && (stats.mode & ownerMayEnter) === 0) {
    throw unusable(folder, new Error('EACCES: its mode does not let its owner enter'));
  }
}

/** Another user that can rename what leads to the directory could put one of its own there. */
function checkAbove(folder: string): void {
  const paths = new Set([...pathsAbove(resolve(folder)), ...pathsAbove(realpathSync(folder))]);
  for (const path of paths) {
    const stats = lstatSync(path);
    if (!isTrusted(stats) && !isOfNobodyHere(stats)) {
      throw refused(path, `belongs to user ${stats.uid}`);
    }
    if (stats.isSymbolicLink()) continue;
    const isOpenToOthers = (stats.mode & othersMayWrite) !== 0 && (stats.mode & sticky) === 0;
    if (isOpenToOthers) throw refused(path, 'can be written to by others, and is not sticky');
  }
}

function pathsAbove(folder: string): string[] {
  const paths: string[] = [];
  for (let path = dirname(folder); ; path = dirname(path)) {
    paths.push(path);
    if (path === dirname(path)) return paths;
  }
}

function isTrusted({ uid }: Stats): boolean {
  return uid === userId() || uid === 0;
}

/** In a user namespace root and others of outside are one: `/` and `/tmp` belong to that one. */
function isOfNobodyHere({ uid }: Stats): boolean {
  try {
    const [, , , count = ''] = readFileSync('/proc/self/uid_map', 'utf8').split(/\s+/);
    const overflow = Number(readFileSync('/proc/sys/kernel/overflowuid', 'utf8'));
    return uid === overflow && Number(count) < 2 ** 32 - 1;
  } catch {
    return false;
  }
}

/** @throws UnsupportedError where there are no users. */
export function userId(): number {
  const id = process.geteuid?.();
  if (id === undefined) {
    throw new UnsupportedError('the broker needs Unix sockets and users, which this system lacks');
  }
  return id;
}

function refused(path: string, why: string): UnavailableError {
  return new UnavailableError(
    `${path} ${why}, so another user could pose as the broker: ` +
      'set KDS_SOCKET to a path in a directory of your own, made by `mkdir -m 700`',
  );
}

const advice: Readonly<Record<string, string>> = {
  EACCES: 'give its owner all rights (chmod u+rwx), or set KDS_SOCKET to another path',
  EPERM: 'set KDS_SOCKET to a path in a directory of your own',
  ENOENT: 'make its parent directory, or set KDS_SOCKET to another path',
  ENOTDIR: 'set KDS_SOCKET to a path whose parent is a directory',
  ELOOP: 'remove the symbolic links that form a cycle, or set KDS_SOCKET to another path',
  EROFS: 'the file system is read-only: set KDS_SOCKET to a path on another one',
  ENOSPC: 'the disk is full: make room, or set KDS_SOCKET to a path on another one',
  EDQUOT: 'your quota is used up: make room, or set KDS_SOCKET to a path on another disk',
  EAGAIN: 'too many processes run: raise the limit (ulimit -u), or end some',
  EMFILE: 'too many files are open: raise the limit (ulimit -n), or close some',
  ENFILE: 'too many files are open on this machine: end some programs',
};

/** An error of the file system at a path: the reason, and what to do. */
export function unusable(path: string, error: unknown): UnavailableError {
  // An error of kds has its reason and what to do: its message stays.
  if (error instanceof KdsError) return new UnavailableError(error.message, { cause: error });
  const why = error instanceof Error ? error.message : String(error);
  const code = codeOf(error) ?? /^E[A-Z]+(?=:)/.exec(why)?.[0] ?? '';
  const toDo = Object.hasOwn(advice, code) ? `; ${advice[code]}` : '';
  return new UnavailableError(`the broker cannot use ${path}: ${why}${toDo}`, { cause: error });
}

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

const nobodyThere = new Set([
  'ENOENT',
  'ECONNREFUSED',
  'ECONNRESET',
  // What is there is no socket that a broker listens on, nor a link to one.
  'ELOOP',
  'ENOTDIR',
  'EPROTOTYPE',
]);

/**
 * Whether a connection failed as no broker serves there: the socket is not there, or no process
 * listens to it, or the one that did has died before it let this one in.
 */
export function isNobodyThere(error: unknown): boolean {
  return nobodyThere.has(codeOf(error) ?? '');
}
