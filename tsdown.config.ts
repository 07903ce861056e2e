import { defineConfig, type UserConfig } from 'tsdown';

const common: UserConfig = {
  format: 'esm',
  // Only of the rooms that need Node.
  deps: { neverBundle: [/^node:/] },
  target: 'es2022',
  fixedExtension: false,
  sourcemap: true,
  minify: false,
  checks: { pluginTimings: false },
};

export default defineConfig([
  {
    ...common,
    entry: {
      index: 'src/index.ts',
      threads: 'src/hosts/threads/index.ts',
      broker: 'src/hosts/broker/index.ts',
      'broker-server': 'src/broker-server/main.ts',
      classic: 'src/clients/classic/index.ts',
      conformance: 'conformance/index.ts',
    },
    platform: 'neutral',
    dts: { sourcemap: true },
    clean: true,
  },
  {
    // By itself, as all that `kds run` loads is to be one file.
    ...common,
    entry: { cli: 'src/cli/main.ts' },
    platform: 'node',
    dts: false,
    clean: false,
  },
]);
