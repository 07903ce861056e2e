/**
 * A broker keeps no file of the program that starts it: a lock (flock) or a pipe would stay open as
 * long as the broker runs. Node lets a child inherit whatever was not opened to be closed by exec,
 * as a shell's `200>lock` is, and can neither change that nor close what it did not open itself.
 *
 * So each such descriptor is replaced in the child by one of /dev/null, as if it were one of the
 * standard ones; the broker, which is told the numbers, closes those.
 */

import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';

/** The descriptors beyond the standard ones that a child would inherit. */
function inheritable(): number[] {
  for (const folder of ['/proc/self/fd', '/dev/fd']) {
    let names: readonly string[];
    try {
      names = readdirSync(folder);
    } catch {
      continue;
    }
    return names
      .map(Number)
      .filter((fd) => Number.isSafeInteger(fd) && fd > 2 && !isClosedByExec(fd));
  }
  return [];
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
  /** The numbers of those that were replaced, for `closeReplaced` in the child. */
  readonly fds: readonly number[];
  /** To be called when the child has been started. */
  close(): void;
}

/** @throws what the system refuses to open /dev/null with. */
export function replaceInheritable(): Replacement {
  const fds = inheritable();
  if (fds.length === 0) return { stdio: [], fds, close: () => undefined };
  const nothing = openSync('/dev/null', 'r');
  const stdio = new Array<'ignore' | number>(Math.max(...fds) - 2).fill('ignore');
  for (const fd of fds) stdio[fd - 3] = nothing;
  return { stdio, fds, close: () => closeSync(nothing) };
}

/** In the child: `text` is the list of `fds`, with commas between them. */
export function closeReplaced(text: string): void {
  for (const digits of text.split(',')) if (digits !== '') closeSync(Number(digits));
}
