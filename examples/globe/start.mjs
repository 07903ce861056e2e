// Bundles the example, which is TypeScript on the sources, and runs it: `npm start`.
import { spawn } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';

const root = fileURLToPath(new URL('../..', import.meta.url));
const output = fileURLToPath(new URL('../../.tmp-globe', import.meta.url));
const source = (path) => fileURLToPath(new URL(`../../src/${path}/index.ts`, import.meta.url));
const inspect = (file) => fileURLToPath(new URL(`../../src/inspect/${file}`, import.meta.url));

await build({
  cwd: root,
  input: {
    main: './examples/globe/main.ts',
    'stage-worker': './examples/globe/stage-worker.ts',
    'task-worker': './examples/globe/task-worker.ts',
    'page-worker': './examples/globe/page-worker.ts',
    panels: './examples/shared/panels.ts',
  },
  platform: 'node',
  resolve: {
    alias: {
      'kds/threads': source('backends/threads'),
      'kds/jobs': source('recipes/jobs'),
      'kds/buffers': source('recipes/buffers'),
      'kds/display': source('recipes/display'),
      'kds/inspect/page': inspect('page-server.ts'),
      'kds/inspect/trace': inspect('trace.ts'),
    },
  },
  external: ['@napi-rs/canvas', /^node:/],
  logLevel: 'warn',
  output: { dir: output, entryFileNames: '[name].mjs', chunkFileNames: '[name]-[hash].mjs' },
});
copyFileSync(inspect('page.html'), `${output}/page.html`);
const argv = [`${output}/main.mjs`, ...process.argv.slice(2)];
const child = spawn(process.execPath, argv, { stdio: 'inherit' });
// A Ctrl-C reaches both by itself.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('exit', (code) => {
  process.exitCode = code ?? 1;
});
