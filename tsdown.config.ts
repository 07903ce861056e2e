import { defineConfig } from 'tsdown';

export default defineConfig({
  entry: {
    index: 'src/index.ts',
    threads: 'src/hosts/threads/index.ts',
    classic: 'src/clients/classic/index.ts',
    conformance: 'conformance/index.ts',
  },
  format: 'esm',
  platform: 'neutral',
  target: 'es2022',
  fixedExtension: false,
  dts: { sourcemap: true },
  sourcemap: true,
  minify: false,
  clean: true,
  checks: { pluginTimings: false },
});
