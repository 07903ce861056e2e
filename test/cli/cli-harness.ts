/**
 * The command `kds`, bundled from the sources as it is published, and run in real processes that
 * share a broker of their own: `kds serve`, in a directory that is deleted at the end.
 */

import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BrokerDomain, type BrokerSnapshotEntry, openBrokerDomain } from 'kds/broker';
import { type Plugin, rolldown } from 'rolldown';
import { luaText } from '../../lua-text.ts';
import { namesIn } from '../../src/api/mode.ts';
import { until } from '../broker/programs.ts';
import { cachedBundle } from '../bundle-cache.ts';
import { removeFolder } from '../temporary-folder.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** In a process group of its own, as a shell with job control has it, which can be signalled. */
  readonly isGroup?: boolean;
}

/** A process under way. */
export class Running {
  readonly child: ChildProcess;
  /** Resolves when it has ended, and no process writes to its output any more. */
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';
  readonly #waiting = new Set<() => void>();

  constructor(child: ChildProcess, input: string | undefined) {
    this.child = child;
    child.stdout?.setEncoding('utf8').on('data', (text) => this.#append('stdout', text));
    child.stderr?.setEncoding('utf8').on('data', (text) => this.#append('stderr', text));
    // A process that has ended reads no more; its exit code reports that.
    child.stdin?.on('error', () => undefined);
    if (input !== undefined) child.stdin?.end(input);
    this.ended = once(child, 'close').then(([code, signal]) => {
      for (const notify of this.#waiting) notify();
      const { stdout, stderr } = this;
      return { code, signal, stdout, stderr };
    });
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** Resolves when its output matches; rejects if it ends without. */
  async prints(what: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = what.exec(this.stdout) ?? what.exec(this.stderr);
      if (found !== null) return found;
      if (this.child.exitCode !== null || this.child.signalCode !== null) {
        throw new Error(`ended without ${what}: ${this.stdout}${this.stderr}`);
      }
      await new Promise<void>((resolve) => {
        const notify = (): void => {
          this.#waiting.delete(notify);
          resolve();
        };
        this.#waiting.add(notify);
      });
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  #append(stream: 'stdout' | 'stderr', text: string): void {
    this[stream] += text;
    for (const notify of this.#waiting) notify();
  }
}

/** A directory with the bundled command, and a broker that serves it. */
export class CliHarness {
  readonly folder = mkdtempSync(join(tmpdir(), 'kds-cli-'));
  readonly socket = join(this.folder, 'broker.sock');
  readonly env: NodeJS.ProcessEnv;
  #programs = '';
  readonly #running = new Set<Running>();
  #domain: BrokerDomain | undefined;

  constructor() {
    const { KDS_BROKER_PROGRAM: _, NO_COLOR: __, FORCE_COLOR: ___, CI: ____, ...env } = process.env;
    // `_` names the program that started the suite, which no shell in a test starts.
    this.env = { ...env, _: process.execPath, KDS_SOCKET: this.socket, SHELL: '/bin/sh' };
  }

  /** Bundles the command, and serves. */
  async open(): Promise<void> {
    this.#programs = join(await cachedBundle('the command kds', bundleCommand), 'dist');
    await this.kds(['serve']).prints(/listening on/);
    this.#domain = await openBrokerDomain({ socket: this.socket, start: false });
  }

  async close(): Promise<void> {
    await this.#domain?.close();
    for (const running of this.#running) running.kill('SIGKILL');
    await Promise.all([...this.#running].map(({ ended }) => ended));
    removeFolder(this.folder);
  }

  /** A client beside the processes. */
  get domain(): BrokerDomain {
    if (this.#domain === undefined) throw new Error('open the harness first');
    return this.#domain;
  }

  get program(): string {
    return join(this.#programs, 'cli.cjs');
  }

  file(name: string): string {
    return join(this.folder, name);
  }

  /** Starts `kds`. */
  kds(args: readonly string[], options: StartOptions = {}): Running {
    return this.start(process.execPath, [this.program, ...args], options);
  }

  /** Starts a shell in which `kds` is the bundled command. */
  sh(script: string, options: StartOptions = {}): Running {
    const kds = `kds() { ${this.quotedCommand} "$@"; }`;
    return this.start('/bin/sh', ['-c', `${kds}\n${script}`], options);
  }

  /** The command in the quotes of a shell. */
  get quotedCommand(): string {
    return `'${process.execPath}' '${this.program}'`;
  }

  start(program: string, args: readonly string[], how: StartOptions = {}): Running {
    const { env, input, isGroup = false } = how;
    const merged = { ...this.env, ...env };
    const options: SpawnOptions = { env: merged, stdio: 'pipe', detached: isGroup };
    const running = new Running(spawn(program, args, options), input);
    this.#running.add(running);
    void running.ended.then(() => this.#running.delete(running));
    return running;
  }

  /** Resolves when `count` requests wait for it: these, in their order. */
  async waiting(name: string, count: number): Promise<readonly BrokerSnapshotEntry[]> {
    let found: readonly BrokerSnapshotEntry[] = [];
    await until(async () => {
      const { pending } = await this.domain.query();
      found = pending.filter(({ set }) => namesIn(set).includes(name));
      return found.length === count;
    }, `${count} wait for ${name}`);
    return found;
  }

  /** Resolves when no request holds it any more. */
  async free(name: string): Promise<void> {
    await until(async () => {
      const { held } = await this.domain.query();
      return !held.some(({ set }) => namesIn(set).includes(name));
    }, `${name} is free`);
  }
}

/** One after the other in a name of its own, so that tests do not wait for each other. */
let nameLast = 0;
export function freshName(): string {
  nameLast++;
  return `name ${nameLast}`;
}

export function has(program: string): boolean {
  return spawnSync('/bin/sh', ['-c', `command -v ${program}`]).status === 0;
}

/** As tsdown.config.ts has it: all but `kds run` is in a file of its own. */
const apart: Plugin = {
  name: 'commands-apart',
  resolveId: (source) =>
    source === './commands.ts' ? { id: './cli-commands.js', external: true } : null,
};

async function bundleCommand(folder: string): Promise<void> {
  // The command reads its version there.
  copyFileSync(join(root, 'package.json'), join(folder, 'package.json'));
  await Promise.all([
    bundle('src/cli/main.ts', join(folder, 'dist', 'cli.cjs')),
    bundle('src/cli/commands.ts', join(folder, 'dist', 'cli-commands.js')),
    bundle('src/backends/broker/server/main.ts', join(folder, 'dist', 'broker-server.js')),
  ]);
  copyFileSync(join(root, 'src/inspect/page.html'), join(folder, 'dist', 'page.html'));
}

async function bundle(input: string, file: string): Promise<void> {
  const made = await rolldown({
    input,
    cwd: root,
    platform: 'node',
    external: /^(node:|(ioredis|iovalkey|redis|prom-client)$)/,
    logLevel: 'silent',
    transform: { target: 'es2022' },
    plugins: [apart, luaText()],
  });
  await made.write({ file, format: file.endsWith('.cjs') ? 'cjs' : 'esm' });
  await made.close();
}
