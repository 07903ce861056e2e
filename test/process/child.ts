/**
 * Programs that use the library in a process of their own: to see it end, run out of memory or meet
 * an uncaught exception. They import bundles of the sources as `./kds.js`, and of clients as
 * `./jobs.js`, `./fences.js` and `./web-locks.js`.
 */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';
import { cachedBundle } from '../bundle-cache.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class ChildProcesses {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async prepare(): Promise<ChildProcesses> {
    return new ChildProcesses(await cachedBundle('modules of children', bundleModules));
  }

  /** Runs a module to its end. */
  run(code: string, flags: readonly string[] = []): Outcome {
    const argv = [...flags, '--input-type=module', '--eval', code];
    const { status, stdout, stderr } = spawnSync(process.execPath, argv, {
      cwd: this.#folder,
      encoding: 'utf8',
      timeout: 1_000_000,
    });
    return { status, stdout, stderr };
  }

  /** What a module printed with `console.log(JSON.stringify(...))`; fails if it ended badly. */
  ask(code: string, flags: readonly string[] = []): unknown {
    const { status, stdout, stderr } = this.run(code, flags);
    if (status !== 0 || stderr !== '') throw new Error(`exit ${status}\n${stdout}\n${stderr}`);
    return JSON.parse(stdout);
  }
}

async function bundleModules(folder: string): Promise<void> {
  await build({
    cwd: root,
    input: {
      kds: './src/index.ts',
      jobs: './src/recipes/jobs/index.ts',
      fences: './src/recipes/fences/index.ts',
      'web-locks': './src/recipes/web-locks/index.ts',
    },
    platform: 'browser',
    logLevel: 'silent',
    output: { dir: folder, entryFileNames: '[name].js' },
  });
}
