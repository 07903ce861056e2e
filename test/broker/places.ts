/** Sockets of tests: each in a directory of its own, which is deleted at the end. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folders: string[] = [];

/** Where nobody serves yet. */
export function freshSocketPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'kds-test-'));
  folders.push(folder);
  return join(folder, 'broker.sock');
}

export function removePlaces(): void {
  // A broker that ends, as its clients have gone, may still make or delete a file there.
  const persistently = { recursive: true, force: true, maxRetries: 20, retryDelay: 50 };
  for (const folder of folders.splice(0)) rmSync(folder, persistently);
}
