/**
 * Rows 31 and 32: the first acquire of a program, from the `import` on: how long it takes, and how
 * many modules are loaded for it.
 *
 * Each sample is a process of its own, and the subjects take turns. Its clock starts in a module
 * that is otherwise empty, so Node's own start, and that of its loader, are not in it.
 */

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Subject } from './sampling.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The import of each package, then its first lock, taken and released. */
const programs = {
  kds: `const { createDomain } = await import('kds');
    (await createDomain().acquire({ exclusive: 'a' })).release();`,
  'async-mutex': `const { Mutex } = await import('async-mutex');
    (await new Mutex().acquire())();`,
  'async-lock': `const { default: AsyncLock } = await import('async-lock');
    await new AsyncLock().acquire('a', () => {});`,
  '@rocicorp/lock': `const { Lock } = await import('@rocicorp/lock');
    (await new Lock().lock())();`,
  'await-lock': `const { default: AwaitLock } = await import('await-lock');
    const lock = new AwaitLock();
    await lock.acquireAsync();
    lock.release();`,
  '@matrixai/async-locks': `const { Lock } = await import('@matrixai/async-locks');
    await (await new Lock().lock()())[0]();`,
  'p-limit': `const { default: pLimit } = await import('p-limit');
    await pLimit(1)(() => {});`,
  'async-sema': `const { Sema } = await import('async-sema');
    const sema = new Sema(1);
    await sema.acquire();
    sema.release();`,
  effect: `const { Effect } = await import('effect');
    await Effect.runPromise(Effect.unsafeMakeSemaphore(1).withPermits(1)(Effect.void));`,
} as const;

export const startUpPeers = Object.keys(programs).filter((name) => name !== 'kds');

export function startUpTime(): Subject[] {
  const timed = (program: string): string =>
    `const startMs = performance.now();
    ${program}
    console.log((performance.now() - startMs) * 1e6);`;
  return Object.entries(programs).map(([name, program]) => {
    return { name, sample: () => numberPrintedBy(timed(program)) };
  });
}

export function startUpModules(): Subject[] {
  return Object.entries(programs).map(([name, program]) => {
    return { name, sample: () => numberPrintedBy(counted(program)) };
  });
}

/** ES modules by a hook of the loader; what `require` loads, unseen by the hook, by its cache. */
function counted(program: string): string {
  const hooks = `let count;
    export function initialize(shared) { count = new Int32Array(shared); }
    export async function load(url, context, next) {
      const loaded = await next(url, context);
      if (url.startsWith('file:') && loaded.format !== 'commonjs') Atomics.add(count, 0, 1);
      return loaded;
    }`;
  return `const { createRequire, register } = await import('node:module');
    const data = new SharedArrayBuffer(4);
    register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(hooks)}`)}, { data });
    ${program}
    const { cache } = createRequire(import.meta.url);
    console.log(new Int32Array(data)[0] + Object.keys(cache).length);`;
}

async function numberPrintedBy(program: string): Promise<number> {
  const argv = ['--input-type=module', '--eval', program];
  const { stdout } = await promisify(execFile)(process.execPath, argv, { cwd: root });
  return Number(stdout);
}
