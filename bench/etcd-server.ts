/**
 * The etcd of the benchmarks: one member a process, on disk as it is by default, on the loopback.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

export const hasEtcd = spawnSync('etcd', ['--version']).status === 0;

/** Its address, when it answers; it ends with this process. */
export async function startEtcd(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'kds-bench-etcd-'));
  const url = `http://127.0.0.1:${await freePort()}`;
  const peerUrl = `http://127.0.0.1:${await freePort()}`;
  const server = spawn(
    'etcd',
    [
      ...['--data-dir', folder, '--listen-client-urls', url, '--advertise-client-urls', url],
      ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
      ...['--initial-cluster', `default=${peerUrl}`],
    ],
    { stdio: 'ignore' },
  );
  process.once('exit', () => {
    server.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  await answering(server, url);
  return url;
}

async function answering(server: ChildProcess, url: string): Promise<void> {
  const body = JSON.stringify({ key: 'AA==' });
  for (;;) {
    if (server.exitCode !== null) throw new Error(`etcd ended with ${server.exitCode}`);
    const answer = await fetch(`${url}/v3/kv/range`, { method: 'POST', body }).catch(() => null);
    if (answer?.ok) return;
    await pause(20);
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
