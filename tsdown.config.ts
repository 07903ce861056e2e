import { defineConfig, type UserConfig } from 'tsdown';
import { luaText } from './lua-text.ts';

/**
 * Stands at the head of every declaration file, so that it compiles with `lib` es2022 alone.
 * `Symbol.dispose` has its type in a library of TypeScript's own, and AbortSignal in the DOM or in
 * @types/node: where one of these is there, the interface is merged with theirs.
 */
const declarations = `/// <reference lib="esnext.disposable" />
declare global {
  interface AbortSignal {
    readonly aborted: boolean;
  }
}`;

const common: UserConfig = {
  format: 'esm',
  plugins: [luaText()],
  // Only of the rooms that need Node.
  deps: { neverBundle: [/^node:/] },
  target: 'es2022',
  fixedExtension: false,
  sourcemap: true,
  minify: false,
  checks: { pluginTimings: false },
};

const commandLine: UserConfig = { ...common, platform: 'node', dts: false, clean: false };

export default defineConfig([
  {
    ...common,
    entry: {
      index: 'src/index.ts',
      threads: 'src/backends/threads/index.ts',
      broker: 'src/backends/broker/index.ts',
      redis: 'src/backends/redis/index.ts',
      etcd: 'src/backends/etcd/index.ts',
      'broker-server': 'src/backends/broker/server/main.ts',
      classic: 'src/recipes/classic/index.ts',
      jobs: 'src/recipes/jobs/index.ts',
      buffers: 'src/recipes/buffers/index.ts',
      display: 'src/recipes/display/index.ts',
      'web-locks': 'src/recipes/web-locks/index.ts',
      fences: 'src/recipes/fences/index.ts',
      inspect: 'src/inspect/index.ts',
      'inspect-trace': 'src/inspect/trace.ts',
      'inspect-otel': 'src/inspect/otel.ts',
      'inspect-page': 'src/inspect/page-server.ts',
      vitest: 'src/test-runners/vitest.ts',
      playwright: 'src/test-runners/playwright.ts',
      conformance: 'conformance/index.ts',
    },
    platform: 'neutral',
    dts: { sourcemap: true },
    banner: { dts: declarations },
    clean: true,
    // What is read from beside the code, and sent as it is; and what users put before their own.
    copy: ['src/inspect/page.html', { from: 'src/backends/redis/lua/fence.lua', to: 'dist' }],
  },
  {
    // What `kds run` loads is one file; it reads the other one, of another build, for all else.
    // As CommonJS, as is `node -e`: Node would take some ms to make its loader of modules ready.
    ...commandLine,
    format: 'cjs',
    entry: { cli: 'src/cli/main.ts' },
    plugins: [
      luaText(),
      {
        name: 'commands-apart',
        resolveId: (source) =>
          source === './commands.ts' ? { id: './cli-commands.js', external: true } : null,
      },
    ],
  },
  {
    ...commandLine,
    entry: { 'cli-commands': 'src/cli/commands.ts' },
  },
]);
