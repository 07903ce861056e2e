import { defineConfig } from 'tsdown';

export default defineConfig({
  entry: {
    index: 'src/index.ts',
    threads: 'src/hosts/threads/index.ts',
    broker: 'src/hosts/broker/index.ts',
    'broker-server': 'src/broker-server/main.ts',
    classic: 'src/clients/classic/index.ts',
    jobs: 'src/clients/jobs/index.ts',
    buffers: 'src/clients/buffers/index.ts',
    display: 'src/clients/display/index.ts',
    conformance: 'conformance/index.ts',
  },
  format: 'esm',
  platform: 'neutral',
  // Only of the rooms that need Node.
  deps: { neverBundle: [/^node:/] },
  target: 'es2022',
  fixedExtension: false,
  dts: { sourcemap: true },
  sourcemap: true,
  minify: false,
  clean: true,
  checks: { pluginTimings: false },
});
