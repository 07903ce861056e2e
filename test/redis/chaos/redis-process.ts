/**
 * A redis-server of the tests' own that can be killed and started again on what it had written. It
 * listens on a Unix socket in a temporary directory, so no port has to be found for it, nor again.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commandBytes } from '../resp.ts';

const startMsMax = 600_000;

export class RedisProcess {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'kds-redis-'));
  readonly socketPath: string = join(this.folder, 'redis.sock');
  readonly #settings: readonly string[];
  #child: ChildProcess | undefined;

  constructor(settings: readonly string[]) {
    this.#settings = settings;
  }

  /** Keeps each command on disk before it is answered. */
  static async durable(): Promise<RedisProcess> {
    const server = new RedisProcess([
      ...['--appendonly', 'yes', '--appendfsync', 'always'],
      // The file is to tell all that ever happened.
      ...['--auto-aof-rewrite-percentage', '0', '--aof-use-rdb-preamble', 'no'],
    ]);
    await server.start();
    return server;
  }

  static async inMemory(): Promise<RedisProcess> {
    const server = new RedisProcess([]);
    await server.start();
    return server;
  }

  /** When it answers. */
  async start(): Promise<void> {
    const log = openSync(join(this.folder, 'log'), 'a');
    const place = ['--port', '0', '--unixsocket', this.socketPath, '--dir', this.folder];
    const quiet = ['--save', '', '--enable-debug-command', 'yes'];
    const args = [...place, ...quiet, ...this.#settings];
    const child = spawn('redis-server', args, { stdio: ['ignore', log, log] });
    closeSync(log);
    this.#child = child;
    const endMs = performance.now() + startMsMax;
    while (!(await this.#answers())) {
      const isOver = child.exitCode !== null || child.signalCode !== null;
      if (isOver || performance.now() > endMs) {
        throw new Error(`redis-server does not start: ${readFileSync(join(this.folder, 'log'))}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** As a power cut would. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** All changes it has ever executed, in order. */
  readAppendOnlyFile(): Buffer {
    const folder = join(this.folder, 'appendonlydir');
    const names = readdirSync(folder).filter((name) => name.endsWith('.incr.aof'));
    if (names.length !== 1) throw new Error(`one append-only file, not ${names}`);
    return readFileSync(join(folder, names[0] as string));
  }

  #answers(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(this.socketPath, () => socket.write(commandBytes('PING')));
      socket.once('data', (data) => {
        resolve(data.toString().startsWith('+PONG'));
        socket.destroy();
      });
      socket.once('error', () => resolve(false));
      socket.once('close', () => resolve(false));
    });
  }
}
