import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string): string =>
  fileURLToPath(new URL(`../../../${path}`, import.meta.url));

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  resolve: {
    alias: {
      'kds/vitest': source('src/test-runners/vitest.ts'),
      'kds/broker': source('src/backends/broker/index.ts'),
    },
  },
  oxc: { target: 'es2022' },
  test: {
    include: ['**/*.spec.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});
