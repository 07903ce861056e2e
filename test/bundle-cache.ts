/**
 * Bundles of the sources, made once for all test files: each in a folder that is named for the
 * content of the sources and for the bundle. A run of other sources makes its own. Global setup
 * hashes the sources once a run, and deletes bundles that no run has used for a day; so a run that
 * is interrupted needs no cleaning.
 */

import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';

const root = fileURLToPath(new URL('..', import.meta.url));
const cache = join(root, 'node_modules', '.cache', 'kds-bundles');
const unusedMsMax = 86_400_000;
/** Hash of the sources, for the processes of a run. */
const variable = 'KDS_TEST_SOURCES';
const parts = [
  'src',
  'conformance',
  'sim',
  'test',
  'lua-text.ts',
  'package.json',
  'package-lock.json',
];

/** Global setup of vitest. */
export function setup(project: TestProject): void {
  const begin = (): void => {
    process.env[variable] = hashSources();
    const now = new Date();
    const own = folderOfRun();
    mkdirSync(own, { recursive: true });
    utimesSync(own, now, now);
    for (const name of readdirSync(cache)) {
      const folder = join(cache, name);
      const isUnused = now.getTime() - statSync(folder).mtimeMs > unusedMsMax;
      if (isUnused) rmSync(folder, { recursive: true, force: true });
    }
  };
  begin();
  project.onTestsRerun(begin);
}

/**
 * The folder of a bundle: `make` writes it, if no test of this run or of an earlier one with the
 * same sources has. `key` says all that it depends on, besides the sources.
 */
export async function cachedBundle(
  key: string,
  make: (folder: string) => Promise<void>,
): Promise<string> {
  const home = folderOfRun();
  const folder = join(home, createHash('sha256').update(key).digest('hex').slice(0, 16));
  if (existsSync(folder)) return folder;
  mkdirSync(home, { recursive: true });
  const unfinished = mkdtempSync(join(home, 'unfinished-'));
  try {
    await make(unfinished);
    renameSync(unfinished, folder);
  } catch (error) {
    // Another process has made the same one meanwhile.
    if (!existsSync(folder)) throw error;
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return folder;
}

function folderOfRun(): string {
  const hash = process.env[variable] ?? hashSources();
  process.env[variable] = hash;
  return join(cache, hash);
}

function hashSources(): string {
  const hash = createHash('sha256').update(process.version);
  for (const path of parts.flatMap(filesUnder)) hash.update(path).update(readFileSync(path));
  return hash.digest('hex').slice(0, 16);
}

function filesUnder(part: string): readonly string[] {
  const path = join(root, part);
  if (!existsSync(path)) return [];
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { withFileTypes: true })
    .filter(({ name }) => name !== 'node_modules')
    .flatMap(({ name }) => filesUnder(join(part, name)))
    .sort();
}
