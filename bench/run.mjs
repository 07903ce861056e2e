// Bundles the benchmarks, which are TypeScript, and runs them on the Node that runs this file. What
// they measure stays outside of the bundle: `kds` is this package's own dist/, through its exports.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));
const output = fileURLToPath(new URL('../.tmp-bench', import.meta.url));

await build({
  cwd: root,
  input: {
    run: './bench/run.ts',
    'threads-worker': './bench/threads-worker.ts',
    'echo-server': './bench/echo-server.ts',
    'free-process': './bench/free-process.ts',
  },
  platform: 'node',
  external: /^[@a-z]/,
  output: { dir: output, entryFileNames: '[name].js' },
});
const argv = [`${output}/run.js`, ...process.argv.slice(2)];
const { status } = spawnSync(process.execPath, argv, { cwd: root, stdio: 'inherit' });
process.exitCode = status ?? 1;
