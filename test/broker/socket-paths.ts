/** Sockets of tests: each in a directory of its own, which is deleted at the end. */

import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeFolder } from '../temporary-folder.ts';

const folders: string[] = [];

/** Where nobody serves yet. */
export function freshSocketPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'kds-test-'));
  folders.push(folder);
  return join(folder, 'broker.sock');
}

export function removePlaces(): void {
  for (const folder of folders.splice(0)) removeFolder(folder);
}
