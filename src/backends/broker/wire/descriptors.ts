/**
 * A broker keeps no file of the program that starts it: a lock (flock) or a pipe would stay open as
 * long as the broker runs. Node lets a child inherit whatever was not opened to be closed by exec,
 * as a shell's `200>lock` is, and can neither change that nor close what it did not open itself.
 *
 * So each such descriptor is replaced in the child by one of /dev/null, as if it were one of the
 * standard ones; the broker, which is given the numbers, closes those. It also closes what is still
 * left open for a child of its own: one that is beyond the limit on open files, which cannot be
 * replaced. Node's own are not; but in a row that begins at 0, Node has changed all of them.
 */

import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';

/** Where the limit on open files is not known: the least that a system has by default, and less. */
const fdMaxDefault = 240;

/** The descriptors beyond the standard ones that a child would inherit. */
function inheritable(folder: string): number[] {
  try {
    const fds = readdirSync(folder).map(Number);
    return fds.filter((fd) => Number.isSafeInteger(fd) && fd > 2 && !isClosedByExec(fd));
  } catch {
    return [];
  }
}

/** False also where that is not known. */
function isClosedByExec(fd: number): boolean {
  const closeOnExec = 0o2000000;
  try {
    const info = readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1');
    const [, flags = '0'] = /^flags:\s*([0-7]+)$/m.exec(info) ?? [];
    return (Number.parseInt(flags, 8) & closeOnExec) !== 0;
  } catch (error) {
    // The one that has listed them is closed by now.
    return process.platform === 'linux' && isMissing(error);
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** What a child is given in place of the descriptors that it would inherit. */
export interface Replacement {
  /** For `stdio` of `spawn`, from descriptor 3 on. */
  readonly stdio: readonly ('ignore' | number)[];
  /** The numbers of those that were replaced, for `closeInherited` in the child. */
  readonly fds: readonly number[];
  /** To be called when the child has been started. */
  close(): void;
}

/** @throws what the system refuses to open /dev/null with. */
export function replaceInheritable(): Replacement {
  const folder = process.platform === 'linux' ? '/proc/self/fd' : '/dev/fd';
  const fds = inheritable(folder).filter((fd) => fd < replaceableMax());
  if (fds.length === 0) return { stdio: [], fds, close: () => undefined };
  const opened = [openSync('/dev/null', 'r')];
  const stdio = new Array<'ignore' | number>(Math.max(...fds) - 2).fill('ignore');
  for (const fd of fds) {
    if (takesEachOnce && fd !== fds[0]) opened.push(openSync('/dev/null', 'r'));
    stdio[fd - 3] = opened.at(-1) as number;
  }
  const close = (): void => {
    for (const fd of opened) closeSync(fd);
  };
  return { stdio, fds, close };
}

/** Deno refuses a descriptor that is more than once in `stdio`. */
const takesEachOnce = 'Deno' in globalThis;

/** Beyond it there is no room for the copies that are made on the way. */
function replaceableMax(): number {
  const roomForCopies = 16;
  try {
    const limits = readFileSync('/proc/self/limits', 'latin1');
    const [, soft = '0'] = /^Max open files +(\d+)/m.exec(limits) ?? [];
    return Number(soft) - roomForCopies;
  } catch {
    return fdMaxDefault;
  }
}

/** In the child: `text` is the list of `fds`, with commas between them. */
export function closeInherited(text: string): void {
  const replaced = text.split(',').filter((digits) => digits !== '');
  for (const fd of [...replaced.map(Number), ...inheritable('/proc/self/fd')]) {
    try {
      closeSync(fd);
    } catch {
      // It is not open: one that was beyond the limit of the program, or was listed twice.
    }
  }
}
