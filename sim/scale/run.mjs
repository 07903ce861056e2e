// Bundles the simulation, which is TypeScript, and runs it on the Node that runs this file.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';

const root = fileURLToPath(new URL('../..', import.meta.url));
const output = fileURLToPath(new URL('../../.tmp-scale', import.meta.url));

await build({
  cwd: root,
  input: { run: './sim/scale/run.ts' },
  platform: 'node',
  external: /^node:/,
  output: { dir: output, entryFileNames: '[name].js' },
});
const argv = [`${output}/run.js`, ...process.argv.slice(2)];
const { status } = spawnSync(process.execPath, argv, { cwd: root, stdio: 'inherit' });
process.exitCode = status ?? 1;
