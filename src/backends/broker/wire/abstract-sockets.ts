/**
 * Signs of running processes that nobody can delete: abstract sockets of Linux. Each broker has
 * one, and each connected client. They go with their process, and no cleaner of files reaches them.
 *
 * Any user can bind any such name, so a sign by itself proves nothing. Its name has the number of a
 * process, and counts only if that process is this user's and has the very socket open: /proc lists
 * both. A process in another PID namespace, such as a container, is another machine's. Nothing but
 * a wish to be seen is ever sent to a sign, so a false one gets nothing (docs/decisions/0014).
 */

import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { codeOf, userId } from './socket-path.ts';

export type SignKind = 'broker' | 'client';

/** A sign of a living process of this user. */
export interface Sign {
  readonly pid: number;
  /** The name of the socket, without the NUL that it begins with. */
  readonly name: string;
}

export interface OwnSign extends Sign {
  /** Takes it down at once. */
  close(): void;
}

const listing = '/proc/net/unix';
/** All that the kernel has room for: else some versions of Node fill it up, and others do not. */
const nameLength = 107;

/** Of this thread. */
let signCount = 0;

/** What the names of a kind begin with, for the brokers or clients of one socket. */
function beginOf(kind: SignKind, socketPath: string): string {
  return `kds/${kind}/${userId()}/${hashOf(realPath(socketPath))}/`;
}

/** FNV-1a of 64 bits, in 16 digits. To load node:crypto would cost each `kds run` some ms. */
function hashOf(path: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(path)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash.toString(16).padStart(16, '0');
}

/** The same for all that see one socket, also while its directory, which is no link, is gone. */
function realPath(socketPath: string): string {
  const folder = dirname(socketPath);
  try {
    return join(realpathSync(dirname(folder)), basename(folder), basename(socketPath));
  } catch {
    return socketPath;
  }
}

/**
 * Puts up a sign. `onCall` runs when a process connects to it, which any user's can do. Undefined
 * where there are no such sockets, or none for this process.
 */
export function putUpSign(
  kind: SignKind,
  socketPath: string,
  onCall: () => void = () => undefined,
): OwnSign | undefined {
  if (process.platform !== 'linux') return undefined;
  signCount++;
  // Threads of one process count for themselves.
  const unique = `${process.pid}/${signCount}-${Math.random().toString(36).slice(2)}/`;
  const name = `${beginOf(kind, socketPath)}${unique}`.padEnd(nameLength, '-');
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.destroy();
    onCall();
  });
  server.on('error', () => undefined);
  try {
    // It listens when this returns, or will not.
    server.listen({ path: `\0${name}`, exclusive: true });
  } catch {
    return undefined;
  }
  if (!server.listening) return undefined;
  server.unref();
  return { pid: process.pid, name, close: () => void server.close() };
}

/**
 * The signs of living processes of this user; none where they cannot be known. One whose open files
 * cannot be read counts, as it cannot be known to be another user's.
 */
export function* findSigns(kind: SignKind, socketPath: string): Generator<Sign> {
  const begin = beginOf(kind, socketPath);
  for (const { inode, path } of listSockets()) {
    if (!path.startsWith(`@${begin}`)) continue;
    const name = path.slice(1);
    const pid = Number(/^\d+/.exec(name.slice(begin.length))?.[0]);
    if (Number.isSafeInteger(pid) && hasOpen(pid, inode)) yield { pid, name };
  }
}

/** Whether a process within reach of signs listens at a path, even one that was deleted. */
export function isListed(path: string): boolean {
  return listSockets().some((socket) => socket.path === path);
}

/** Calls the process with a sign, which need not answer: it may be stopped. */
export function call({ name }: Sign): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(`\0${name}`);
    socket.on('error', () => undefined);
    socket.on('connect', () => socket.destroy());
    socket.on('close', () => resolve());
  });
}

function listSockets(): { readonly inode: string; readonly path: string }[] {
  if (process.platform !== 'linux') return [];
  let text: string;
  try {
    text = readFileSync(listing, 'utf8');
  } catch {
    return [];
  }
  const sockets = text.matchAll(/^[0-9a-f]+: \S+ \S+ \S+ \S+ \S+ +(\d+) (\S.*)$/gm);
  return [...sockets].map(([, inode = '', path = '']) => ({ inode, path }));
}

/** Whether a process of this user has a socket open. */
function hasOpen(pid: number, inode: string): boolean {
  const folder = `/proc/${pid}/fd`;
  if (!isOurs(pid)) return false;
  try {
    return readdirSync(folder).some((fd) => leadsTo(`${folder}/${fd}`, `socket:[${inode}]`));
  } catch (error) {
    return codeOf(error) === 'EACCES';
  }
}

/** By its real and its effective user: another user's program can act with our rights. */
function isOurs(pid: number): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    const [, real, effective] = /^Uid:\t(\d+)\t(\d+)/m.exec(status) ?? [];
    return Number(real) === process.getuid?.() && Number(effective) === userId();
  } catch {
    return false;
  }
}

function leadsTo(link: string, target: string): boolean {
  try {
    return readlinkSync(link) === target;
  } catch {
    // It was closed meanwhile.
    return false;
  }
}
