/**
 * A hand-over between two shells: `kds run` for two resources, beside flock(1) nested in flock(1).
 *
 * The last that the holder's command does is to tell the time, as is the first of the waiter's,
 * both by date(1). What lies between is the end of a command, the hand-over, and the start of
 * another.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { openBrokerDomain } from 'kds/broker';
import type { Subject } from './sampling.ts';

/** Who waits for a lock is told by the kernel there. */
const locksFile = '/proc/locks';
export const hasFlock =
  process.platform === 'linux' && spawnSync('flock', ['--version']).status === 0;
const program = fileURLToPath(new URL('../dist/cli.cjs', import.meta.url));
const holding = ['sh', '-c', 'echo begun; read line; exec date +%s%N'];
const waiting = ['date', '+%s%N'];

export async function betweenShells(): Promise<Subject[]> {
  const folder = mkdtempSync(join(tmpdir(), 'kds-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const socket = join(folder, 'broker.sock');
  const domain = await openBrokerDomain({ socket });
  const kds = [process.execPath, program, 'run', '--socket', socket, '-x', 'a', '-x', 'b', '--'];
  const flock = ['flock', join(folder, 'a'), 'flock', join(folder, 'b')];
  const isQueued = async (): Promise<boolean> => (await domain.query()).pending.length > 0;
  const isBlocked = async ({ pid }: ChildProcess): Promise<boolean> => {
    const lines = readFileSync(locksFile, 'utf8').split('\n');
    return lines.some((line) => line.includes('->') && line.split(/\s+/).includes(String(pid)));
  };
  return [
    { name: 'kds run', sample: () => handOver(kds, isQueued) },
    { name: 'flock in flock', sample: () => handOver(flock, isBlocked) },
  ];
}

/** From the end of one command to the start of the next, in ns. */
async function handOver(
  [file = '', ...args]: readonly string[],
  waits: (waiter: ChildProcess) => Promise<boolean>,
): Promise<number> {
  const start = (command: readonly string[]) =>
    spawn(file, [...args, ...command], { stdio: ['pipe', 'pipe', 'inherit'] });
  const holder = start(holding);
  await firstOf(holder.stdout);
  const waiter = start(waiting);
  while (!(await waits(waiter))) await new Promise((resolve) => setTimeout(resolve, 1));
  holder.stdin.end('\n');
  const [endNs, startNs] = await Promise.all([text(holder.stdout), text(waiter.stdout)]);
  return Number(BigInt(startNs.trim()) - BigInt(endNs.trim()));
}

/** Waits for some output, and leaves what follows. */
function firstOf(output: Readable): Promise<void> {
  return new Promise((resolve) => {
    output.once('readable', () => {
      output.read();
      resolve();
    });
  });
}
