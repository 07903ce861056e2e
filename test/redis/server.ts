/** A redis-server of the tests' own: on a free port of the loopback, in a temporary directory. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';

const startMsMax = 600_000;
const attemptMax = 5;

/** Whether there is one; if not, tests say so in their names, and `.ci/no-skips.mjs` refuses. */
const hasRedisServer = spawnSync('redis-server', ['--version']).status === 0;

/** A group of tests that need a server. */
export function describeWithRedis(name: string, body: () => void): void {
  if (hasRedisServer) describe(name, body);
  else describe.skip(`${name} (skipped: no redis-server)`, body);
}

export interface RedisServer {
  readonly port: number;
  readonly pid: number;
  readonly directory: string;
  /** Ends it, at once, and removes its directory. */
  stop(): Promise<void>;
}

/** Starts a server with further settings, as on its command line; it keeps nothing on disk. */
export async function startRedisServer(...settings: readonly string[]): Promise<RedisServer> {
  const directory = mkdtempSync(join(tmpdir(), 'kds-redis-'));
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    const child = launch(port, directory, settings);
    if (await isServing(child)) {
      const stop = async () => {
        if (child.exitCode === null && child.signalCode === null) {
          const exited = once(child, 'exit');
          child.kill('SIGKILL');
          await exited;
        }
        rmSync(directory, { recursive: true, force: true });
      };
      return { port, pid: child.pid as number, directory, stop };
    }
    // Somebody else may have taken the port meanwhile.
    if (attempt === attemptMax) throw new Error('no redis-server could be started');
  }
}

function launch(port: number, directory: string, settings: readonly string[]): ChildProcess {
  const own = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', directory];
  const args = [...own, '--save', '', '--appendonly', 'no', ...settings];
  return spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function isServing(child: ChildProcess): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`redis-server was not ready within ${startMsMax} ms`));
    }, startMsMax);
    let log = '';
    const end = (isReady: boolean) => {
      clearTimeout(timer);
      child.stdout?.removeAllListeners('data').resume();
      resolve(isReady);
    };
    child.stdout?.on('data', (chunk) => {
      log += chunk;
      if (log.includes('Ready to accept connections')) end(true);
    });
    child.once('exit', () => end(false));
    child.once('error', () => end(false));
  });
}

/** A port that nobody listens on at this moment. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
