import type { KnipConfig } from 'knip';
import { entryPoints } from './entry-points.ts';

export default {
  entry: [
    ...Object.values(entryPoints),
    'bench/run.ts',
    'bench/{echo-server,free-process}.ts',
    '.ci/*.mjs',
    'examples/shared/panels.ts',
    'examples/globe/{main,page-worker,stage-worker,task-worker}.ts',
    'examples/globe/browser/{page,worker}.ts',
    'examples/globe/{screenshot,browser/start}.mjs',
    'examples/video/{page,server}.ts',
    'examples/video/{encoder,decoder,processor,display}-worker.ts',
    // Bundled by test/sim/worlds.ts, in place of what Node has.
    'sim/broker/{run,node-*}.ts',
    'sim/scale/run.{mjs,ts}',
    'site/.vitepress/{config.ts,theme/index.js}',
    // Copied beside the installed package, and run there.
    'test/runtimes/*.mjs',
    'test/test-runners/*-project/*.ts',
  ],
  ignoreDependencies: ['declarations-with-typescript-.*'],
  ignoreBinaries: ['etcd', 'flock', 'make', 'mkfifo', 'mount', 'redis-server', 'tail', 'umount'],
  project: [
    '{src,conformance,model,sim,test,bench,mutation,structure,examples,site}/**/*.{ts,js,mjs}',
    '.ci/*.mjs',
  ],
} satisfies KnipConfig;
