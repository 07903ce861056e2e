/** A simulation as a module of its own, perhaps with a fault in the backend that it runs. */

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type Plugin, rolldown } from 'rolldown';
import { luaText } from '../../lua-text.ts';

/** The text to find in a file of the backend, where it is exactly once, and its replacement. */
export interface SourceFault {
  readonly name: string;
  /** Relative to the folder of the backend. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * The module `sim/BACKEND/run.ts`. What the sources import from `node:fs` and so on comes from
 * `sim/BACKEND/node-fs.ts` where there is such a file.
 *
 * @throws unless the fault's text is found once.
 */
export async function simulationWith<M>(backend: string, fault?: SourceFault): Promise<M> {
  const folder = mkdtempSync(join(root, '.tmp-sim-'));
  try {
    const bundle = await rolldown({
      input: join(root, 'sim', backend, 'run.ts'),
      cwd: root,
      platform: 'node',
      logLevel: 'silent',
      plugins: [
        imports(backend),
        unsliced(),
        ...(fault === undefined ? [] : [faulty(join(root, 'src', 'backends', backend), fault)]),
        luaText(),
      ],
    });
    const file = join(folder, 'worlds.mjs');
    await bundle.write({ file, format: 'esm', codeSplitting: false });
    await bundle.close();
    return (await import(pathToFileURL(file).href)) as M;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Packages stay outside of the bundle; modules of Node may be simulated. */
function imports(backend: string): Plugin {
  return {
    name: 'imports',
    resolveId(source, importer) {
      if (!/^[@a-z]/.test(source) || importer === undefined) return null;
      const file = `${source.replace(':', '-').replace('_', '-')}.ts`;
      const path = join(root, 'sim', backend, file);
      const isSimulated = importer.startsWith(join(root, 'src')) && existsSync(path);
      return isSimulated ? path : { id: source, external: true };
    },
  };
}

/** Slices end by real time, which has no place in a simulation: there is one. */
function unsliced(): Plugin {
  const path = join(root, 'src', 'runtime', 'slices.ts');
  const text = readFileSync(path, 'utf8');
  const code = text.replace('const sliceMs = 5;', 'const sliceMs = Number.POSITIVE_INFINITY;');
  if (code === text) throw new Error('the length of a slice is written in another way now');
  return { name: 'unsliced', load: (id) => (id === path ? { code, moduleType: 'ts' } : null) };
}

function faulty(backendFolder: string, { name, file, find, replace }: SourceFault): Plugin {
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
