// Bundles the example, which is TypeScript on the sources, and serves it: `npm run video`.
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';

const root = fileURLToPath(new URL('../..', import.meta.url));
const output = fileURLToPath(new URL('../../.tmp-video', import.meta.url));
const source = (path) => fileURLToPath(new URL(`../../src/${path}`, import.meta.url));
const entry = (name) => [name, `./examples/video/${name}.ts`];
const workers = ['encoder-worker', 'decoder-worker', 'processor-worker', 'display-worker'];

await build({
  cwd: root,
  input: Object.fromEntries(['page', ...workers].map(entry)),
  platform: 'browser',
  resolve: {
    alias: {
      'kds/threads': source('backends/threads/index.ts'),
      kds: source('index.ts'),
    },
  },
  logLevel: 'warn',
  output: {
    dir: `${output}/browser`,
    entryFileNames: '[name].mjs',
    chunkFileNames: '[name]-[hash].mjs',
  },
});
await build({
  cwd: root,
  input: Object.fromEntries([entry('server')]),
  platform: 'node',
  external: [/^node:/],
  logLevel: 'warn',
  output: { dir: output, entryFileNames: '[name].mjs' },
});
await import(new URL('../../.tmp-video/server.mjs', import.meta.url));
