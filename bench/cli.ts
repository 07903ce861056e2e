/** `kds run -x a -- true` from a shell, beside what such a command cannot do without. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Subject } from './sampling.ts';

const program = fileURLToPath(new URL('../dist/cli.cjs', import.meta.url));

/** With a broker that runs, as it does from the second command on. */
export function runTrue(): Subject[] {
  const folder = mkdtempSync(join(tmpdir(), 'kds-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const env = { ...process.env, KDS_SOCKET: join(folder, 'broker.sock') };
  const timed = (...commands: readonly (readonly [string, ...string[]])[]): number => {
    const startMs = performance.now();
    for (const [file, ...args] of commands) {
      const { status, error } = spawnSync(file, args, { env, stdio: 'ignore' });
      if (status !== 0) throw error ?? new Error(`${file} ${args.join(' ')} ended with ${status}`);
    }
    return (performance.now() - startMs) * 1e6;
  };
  const node = process.execPath;
  return [
    {
      name: 'kds run -x a -- true',
      sample: () => timed([node, program, 'run', '-x', 'a', '--', 'true']),
    },
    {
      name: 'kds run -x a -s b -- true',
      sample: () => timed([node, program, 'run', '-x', 'a', '-s', 'b', '--', 'true']),
    },
    { name: 'node -e 0, then true', sample: () => timed([node, '-e', '0'], ['true']) },
  ];
}
