/**
 * The simulation of the Redis host, as a module of its own: with a fault in it, if one is given.
 */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type Plugin, rolldown } from 'rolldown';
import { luaText } from '../../lua-text.ts';
import type { RunSeed } from '../../sim/redis/run.ts';
import type { Fault } from './redis-faults.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const backendFolder = join(root, 'src', 'backends', 'redis');

/** Throws unless the fault's text is found once, and is changed by it. */
export async function worldsWith(fault: Fault): Promise<RunSeed> {
  const folder = mkdtempSync(join(root, '.tmp-sim-'));
  try {
    const bundle = await rolldown({
      input: join(root, 'sim', 'redis', 'run.ts'),
      cwd: root,
      platform: 'node',
      external: /^[@a-z]/,
      logLevel: 'silent',
      plugins: [faulty(fault), luaText()],
    });
    const file = join(folder, 'worlds.mjs');
    await bundle.write({ file, format: 'esm', codeSplitting: false });
    await bundle.close();
    const made = (await import(pathToFileURL(file).href)) as {
      readonly prepareRedisWorlds: () => Promise<RunSeed>;
    };
    return await made.prepareRedisWorlds();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function faulty({ name, file, find, replace }: Fault): Plugin {
  const path = join(backendFolder, file);
  const text = readFileSync(path, 'utf8');
  const count = text.split(find).length - 1;
  if (count !== 1) throw new Error(`"${name}": found ${count} times in ${file}, not once`);
  const wrong = text.replace(find, () => replace);
  if (wrong === text) throw new Error(`"${name}" changes nothing`);
  return {
    name: 'fault',
    load(id) {
      if (id !== path) return null;
      if (!id.endsWith('.lua')) return { code: wrong, moduleType: 'ts' };
      return { code: `export const text = ${JSON.stringify(wrong)};`, moduleType: 'js' };
    },
  };
}
