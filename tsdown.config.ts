import { defineConfig, type UserConfig } from 'tsdown';
import { sourcesByDistName } from './entry-points.ts';
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
  // Only of the folders that need Node.
  deps: { neverBundle: [/^node:/] },
  target: 'es2022',
  fixedExtension: false,
  // The code is not minified, and the declarations have the docstrings; maps would be more than half
  // of the package.
  sourcemap: false,
  minify: false,
  outputOptions: { comments: { jsdoc: false } },
  checks: { pluginTimings: false },
};

const commandLine: UserConfig = { ...common, platform: 'node', dts: false, clean: false };

export default defineConfig([
  {
    ...common,
    entry: { ...sourcesByDistName(), 'broker-server': 'src/backends/broker/server/main.ts' },
    platform: 'neutral',
    dts: { sourcemap: false },
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
