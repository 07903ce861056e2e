/** Process groups, which Node has no call for. */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

interface ProcessGroups {
  readonly own: string;
  /** The foreground group of its terminal. */
  readonly foreground: string;
}

/** Whether this process is in the group that a terminal's keys send signals to. */
export function isInForeground(): boolean {
  const groups = groupsOf(process.pid);
  return groups !== undefined && groups.own === groups.foreground;
}

/** Whether a child is in the group of this process: some leave it, as timeout(1) does. */
export function isInOwnGroup(pid: number): boolean {
  const own = groupsOf(process.pid)?.own;
  return own !== undefined && groupsOf(pid)?.own === own;
}

/** Undefined if unknown. */
function groupsOf(pid: number): ProcessGroups | undefined {
  try {
    const [own, foreground] = process.platform === 'linux' ? readStat(pid) : askPs(pid);
    return own === undefined || foreground === undefined ? undefined : { own, foreground };
  } catch {
    return undefined;
  }
}

function readStat(pid: number): readonly (string | undefined)[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // After the name in parentheses, which may be any text: state ppid pgrp session tty tpgid.
  const [, , own, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return [own, foreground];
}

function askPs(pid: number): readonly (string | undefined)[] {
  const args = ['-o', 'pgid=,tpgid=', '-p', String(pid)];
  return execFileSync('ps', args, { encoding: 'utf8' }).trim().split(/\s+/);
}
