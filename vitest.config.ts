import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { entryPoints, specifierOf } from './entry-points.ts';
import { luaText } from './lua-text.ts';

const root = fileURLToPath(new URL('.', import.meta.url));

// On a build machine the outcome is also written down, for .ci/no-skips.mjs to read.
const reportFile = process.env['TEST_REPORT'] ?? '.tmp-report/tests.json';
const onBuildMachine = process.env['CI'] === 'true';

export default defineConfig({
  plugins: [luaText()],
  resolve: {
    alias: Object.entries(entryPoints).map(([subpath, source]) => ({
      find: new RegExp(`^${specifierOf(subpath)}$`),
      replacement: join(root, source),
    })),
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
