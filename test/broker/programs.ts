/**
 * The programs of these tests, bundled from the sources: the broker, which `openBrokerDomain` is
 * told of by the environment, and clients that run in processes of their own.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'rolldown';
import { type Bundle, bundleWorker } from '../threads/bundle.ts';

const bundles: Bundle[] = [];
const children = new Set<ChildProcess>();

/** A program of these tests, as a file that Node runs; of sources that plugins may have changed. */
export async function bundleProgram(entry: URL, plugins: readonly Plugin[] = []): Promise<string> {
  const made = await bundleWorker(entry, { plugins });
  bundles.push(made);
  return made.path;
}

/** From now on clients, also those in other processes, find the broker's program. */
export async function bundleBroker(): Promise<void> {
  const entry = new URL('../../src/backends/broker/server/main.ts', import.meta.url);
  process.env['KDS_BROKER_PROGRAM'] = await bundleProgram(entry);
}

/**
 * From now on brokers that are started have a clock that can be set: the function that is returned
 * takes how far ahead it is, in ms. All else of them is as `bundleBroker` has made it.
 */
export function shiftBrokerClock(folder: string): (aheadMs: number) => void {
  const clock = join(folder, 'clock');
  const program = join(folder, 'broker.mjs');
  const real = process.env['KDS_BROKER_PROGRAM'];
  writeFileSync(
    program,
    `import { readFileSync } from 'node:fs';
    const { now } = Date;
    Date.now = () => now() + Number(readFileSync(${JSON.stringify(clock)}, 'utf8'));
    await import(${JSON.stringify(real)});`,
  );
  process.env['KDS_BROKER_PROGRAM'] = program;
  const set = (aheadMs: number): void => {
    writeFileSync(`${clock}.new`, String(aheadMs));
    renameSync(`${clock}.new`, clock);
  };
  set(0);
  return set;
}

/** Starts a client; it is killed at the end of the tests, if it has not ended by then. */
export function startClient(program: string, ...args: readonly string[]): ChildProcess {
  const execArgv: string[] = [];
  const child = fork(program, args, { execArgv, serialization: 'advanced' });
  children.add(child);
  child.once('exit', () => children.delete(child));
  // A message to one that has ended meanwhile cannot be written: its end is reported by `exit`.
  child.on('error', () => undefined);
  return child;
}

/** The next message of a client; rejects if it ends instead. */
export async function heard(child: ChildProcess): Promise<unknown> {
  const exited = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`the client ended with ${code ?? signal}`);
  });
  const message = once(child, 'message').then(([value]) => value as unknown);
  exited.catch(() => undefined);
  return Promise.race([message, exited]);
}

export function removePrograms(): void {
  for (const child of children) child.kill('SIGKILL');
  for (const made of bundles.splice(0)) made.remove();
  delete process.env['KDS_BROKER_PROGRAM'];
}

/** Waits for what no event tells of. Fails if it has not come to pass in ten minutes. */
export async function until(condition: () => boolean | Promise<boolean>, what: string) {
  const endMs = performance.now() + 600_000;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
