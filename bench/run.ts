/**
 * Measures this package's dist/ next to its peers: `npm run bench`.
 *
 *     --only N   the row of that number alone, and writes no document; may be repeated
 *     --rounds N takes N rounds of each experiment, to try it; writes no document
 *     --json     prints figures and samples as JSON instead of the table
 *
 * Each experiment runs in a process of its own, so that no subject pays for the garbage and the
 * compiled code of one that it is not compared with.
 */

import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { chartOf } from './chart.ts';
import { chartFileOf, chartTitleOf, writeDocument } from './document.ts';
import { type Figure, figuresOf, type SamplesByExperiment } from './figures.ts';
import { describeMachine } from './machine.ts';
import { type Experiment, type Row, rows } from './rows.ts';
import { type Samples, takeTurns } from './sampling.ts';
import { comparedOf } from './summary.ts';
import { asText } from './table.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    rounds: { type: 'string' },
    json: { type: 'boolean', default: false },
    experiment: { type: 'string' },
  },
});
if (values.experiment === undefined) await runAll();
else await runExperiment(values.experiment);

async function runAll(): Promise<void> {
  const chosen = chosenRows();
  const experiments = new Set(chosen.flatMap((row) => row.experiments));
  const samples: Record<string, Samples> = {};
  let started = 0;
  for (const experiment of experiments) {
    started++;
    process.stderr.write(`${started}/${experiments.size} ${experiment.name} ... `);
    const startMs = performance.now();
    samples[experiment.name] = await inOwnProcess(experiment);
    process.stderr.write(`${((performance.now() - startMs) / 1000).toFixed(1)} s\n`);
  }
  report(chosen, samples);
}

function chosenRows(): readonly Row[] {
  const { only } = values;
  if (only === undefined) return rows;
  const chosen = rows.filter(({ number }) => only.includes(String(number)));
  if (chosen.length < new Set(only).size) throw new RangeError(`rows are 1 to ${rows.length}`);
  return chosen;
}

/** The sizes of some experiments need more heap than is the default. */
async function inOwnProcess({ name }: Experiment): Promise<Samples> {
  const file = fileURLToPath(import.meta.url);
  const flags = ['--expose-gc', '--max-old-space-size=6144'];
  const rounds = values.rounds === undefined ? [] : ['--rounds', values.rounds];
  const argv = [...flags, file, '--experiment', name, ...rounds];
  const { stdout } = await promisify(execFile)(process.execPath, argv, { cwd: root });
  return JSON.parse(stdout) as Samples;
}

async function runExperiment(name: string): Promise<void> {
  const experiment = rows.flatMap((row) => row.experiments).find((each) => each.name === name);
  if (experiment === undefined) throw new RangeError(`there is no experiment ${name}`);
  const rounds = Number(values.rounds ?? experiment.rounds);
  const samples = await takeTurns(await experiment.subjects(), rounds);
  // Waiters of some peers keep the process alive for ever.
  process.stdout.write(JSON.stringify(samples), () => process.exit());
}

function report(chosen: readonly Row[], samples: SamplesByExperiment): void {
  const machine = describeMachine(root);
  const figures = chosen.flatMap((row): Figure[] => figuresOf(row, samples));
  if (values.json) console.log(JSON.stringify({ machine, figures, samples }, undefined, 2));
  else console.log(asText(chosen, figures));
  if (values.only !== undefined || values.rounds !== undefined) return;
  const file = `${root}docs/benchmarks.md`;
  const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const introduction = readFileSync(`${root}bench/introduction.md`, 'utf8');
  mkdirSync(`${root}docs`, { recursive: true });
  writeFileSync(file, writeDocument(before, introduction, machine, rows, figures));
  const chart = chartOf(comparedOf(rows, figures), chartTitleOf(machine));
  writeFileSync(`${root}docs/${chartFileOf(machine)}`, chart);
}
