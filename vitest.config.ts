import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { configDefaults, defineConfig } from 'vitest/config';
import { entryPoints, specifierOf } from './entry-points.ts';
import { luaText } from './lua-text.ts';
import { LongestFirst } from './test/longest-first.ts';
import { slowestFiles } from './test/slowest-files.ts';

const root = fileURLToPath(new URL('.', import.meta.url));

// On a build machine the outcome is also written down, for .ci/no-skips.mjs to read.
const reportFile = process.env['TEST_REPORT'] ?? '.tmp-report/tests.json';
const onBuildMachine = process.env['CI'] === 'true';

/** Tests that wait for real time limits, or run the programs of others. */
const waiting = [
  'test/broker/{deleted-files,term-record}.test.ts',
  'test/cli/{completion,exclusion}.test.ts',
  'test/etcd/{blocked-loop,network,secured}.test.ts',
  'test/test-runners/runners.test.ts',
  'test/threads/out-of-reach.test.ts',
];

/**
 * Runs against faults that are put in on purpose, soaks, very large states, other compilers, and
 * the pages of the site and of the video.
 */
const soak = [
  'model/redis-faults.test.ts',
  'test/broker/{fault-stress,large-snapshot,stress}.test.ts',
  'test/conformance/broken-backends.test.ts',
  'test/declarations/*.test.ts',
  'test/display/ten-thousand-frames.test.ts',
  'test/etcd/{large-sets,quota}.test.ts',
  'test/examples/video.test.ts',
  'test/{etcd,redis}/chaos/mutants.test.ts',
  'test/{jobs,process}/leftovers.test.ts',
  'test/redis/large-snapshot.test.ts',
  'test/sim/*-faults.test.ts',
  'test/site/site.test.ts',
  'test/threads/passing.test.ts',
];

/** Long runs over many states, seeds or faults, and the main example. */
const campaign = [
  'model/**/*.test.ts',
  'test/conformance/{broker-processes,redis-libraries,threads-workers}.test.ts',
  'test/core/random-runs.test.ts',
  'test/etcd/chaos/*.test.ts',
  'test/examples/globe.test.ts',
  'test/inspect/traced-*.test.ts',
  'test/jobs/same-as-in-order.test.ts',
  'test/package-size.test.ts',
  'test/redis/{chaos/*,random-scripts}.test.ts',
  'test/sim/*.test.ts',
  'test/site/api.test.ts',
  'test/threads/{faults,stress}/*.test.ts',
];

/** Tests with servers, programs, workers or browsers, or that need a main thread. */
const engines = [
  'test/{broker,browser,cli,etcd,examples,redis,test-runners,threads}/**/*.test.ts',
  'test/api/hostile-messages.test.ts',
  'test/classic/threads.test.ts',
  'test/conformance/{broker,etcd,redis,threads}.test.ts',
  'test/documentation.test.ts',
  'test/events/{broker,remote}.test.ts',
  'test/fences/{sets,shared-fence}.test.ts',
  'test/jobs/{bad-input,leftovers,remote-backend,workers}.test.ts',
  'test/process/leftovers.test.ts',
  'test/projects.test.ts',
  'test/release-notes.test.ts',
  'test/runtime/far-time-outs.test.ts',
  'test/site/*.test.ts',
  'test/web-locks/{agents,algorithms,contexts,sets}.test.ts',
];

/** Three at once load two cores to 12, which shows races of tests, and saves no time. */
const engineWorkersMax = 2;

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
    globalSetup: 'test/bundle-cache.ts',
    sequence: { sequencer: LongestFirst },
    // For a test that hangs, not for a slow machine: no test depends on its speed.
    testTimeout: 1_200_000,
    hookTimeout: 1_200_000,
    // So a fault that makes every test of a file hang ends while the machine still has time.
    bail: onBuildMachine ? 3 : 0,
    reporters: onBuildMachine
      ? ['default', slowestFiles, ['json', { outputFile: reportFile }]]
      : ['default', slowestFiles],
    // Beside the test, as a folder of another name than all others would not be.
    resolveSnapshotPath: (path, extension) => path + extension,
    coverage: { include: ['src/**/*.ts'], reporter: ['text-summary', 'html'] },
    // One after the other, by `groupOrder`. A file is of the last project whose list has it, and of
    // the first one if none has.
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...engines, ...waiting, ...campaign, ...soak],
          pool: 'threads',
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'engines',
          include: engines,
          exclude: [...configDefaults.exclude, ...waiting, ...campaign, ...soak],
          pool: 'forks',
          maxWorkers: engineWorkersMax,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'waiting',
          include: waiting,
          pool: 'forks',
          maxWorkers: 4,
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          name: 'campaign',
          include: campaign,
          exclude: [...configDefaults.exclude, ...soak],
          pool: 'forks',
          maxWorkers: 2,
          sequence: { groupOrder: 3 },
        },
      },
      {
        extends: true,
        test: {
          name: 'soak',
          include: soak,
          pool: 'forks',
          maxWorkers: 2,
          sequence: { groupOrder: 4 },
        },
      },
    ],
  },
});
