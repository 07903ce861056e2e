import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { luaText } from './lua-text.ts';

const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

// On a build machine the outcome is also written down, for .ci/no-skips.mjs to read.
const reportFile = process.env['TEST_REPORT'] ?? '.tmp-report/tests.json';
const onBuildMachine = process.env['CI'] === 'true';

export default defineConfig({
  plugins: [luaText()],
  resolve: {
    alias: [
      { find: /^kds$/, replacement: source('src/index.ts') },
      { find: /^kds\/threads$/, replacement: source('src/backends/threads/index.ts') },
      { find: /^kds\/broker$/, replacement: source('src/backends/broker/index.ts') },
      { find: /^kds\/redis$/, replacement: source('src/backends/redis/index.ts') },
      { find: /^kds\/etcd$/, replacement: source('src/backends/etcd/index.ts') },
      { find: /^kds\/classic$/, replacement: source('src/recipes/classic/index.ts') },
      { find: /^kds\/jobs$/, replacement: source('src/recipes/jobs/index.ts') },
      { find: /^kds\/buffers$/, replacement: source('src/recipes/buffers/index.ts') },
      { find: /^kds\/display$/, replacement: source('src/recipes/display/index.ts') },
      { find: /^kds\/web-locks$/, replacement: source('src/recipes/web-locks/index.ts') },
      { find: /^kds\/fences$/, replacement: source('src/recipes/fences/index.ts') },
      { find: /^kds\/inspect\/trace$/, replacement: source('src/inspect/trace.ts') },
      { find: /^kds\/inspect\/page$/, replacement: source('src/inspect/page-server.ts') },
      { find: /^kds\/inspect\/otel$/, replacement: source('src/inspect/otel.ts') },
      { find: /^kds\/vitest$/, replacement: source('src/test-runners/vitest.ts') },
      { find: /^kds\/playwright$/, replacement: source('src/test-runners/playwright.ts') },
      { find: /^kds\/inspect$/, replacement: source('src/inspect/index.ts') },
      { find: /^kds\/conformance$/, replacement: source('conformance/index.ts') },
    ],
  },
  // `using` and `await using` are written out, since Node 20 does not parse them.
  oxc: { target: 'es2022' },
  // The examples of the documents are written to such a folder to be run.
  server: { watch: { ignored: ['**/.tmp-*/**'] } },
  test: {
    include: ['test/**/*.test.ts', 'model/**/*.test.ts'],
    pool: 'forks',
    // For a test that hangs, not for a slow machine: no test depends on its speed.
    testTimeout: 1_200_000,
    hookTimeout: 1_200_000,
    // So a fault that makes every test of a file hang ends while the machine still has time.
    bail: onBuildMachine ? 3 : 0,
    reporters: onBuildMachine ? ['default', ['json', { outputFile: reportFile }]] : ['default'],
    coverage: { include: ['src/**/*.ts'], reporter: ['text-summary', 'html'] },
  },
});
