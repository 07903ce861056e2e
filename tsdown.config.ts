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
  // Fields are written once, by their constructor, and not before that as undefined: the engine then
  // knows what they hold (a fifth of a request's time, docs/benchmarks.md).
  inputOptions: {
    transform: {
      assumptions: { setPublicClassFields: true },
      typescript: { removeClassFieldsWithoutInitializer: true },
    },
  },
  clean: true,
  checks: { pluginTimings: false },
});
