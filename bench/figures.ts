/** From samples to figures: the median ratio of each comparison, and whether it is as it should. */

import type { Comparison, Row, Side, Target } from './rows.ts';
import { median, quantile, type Samples } from './sampling.ts';

export interface Figure {
  readonly row: number;
  readonly unit: Row['unit'];
  readonly of: string;
  readonly against: string | undefined;
  readonly target: Target | undefined;
  /** Of the other's to ours for `timesFasterMin`, else of ours to the other's; or ours alone. */
  readonly figure: number;
  /** Half of the rounds lie between these. */
  readonly low: number;
  readonly high: number;
  readonly isMet: boolean | undefined;
  readonly ours: number;
  readonly theirs: number | undefined;
}

export type SamplesByExperiment = Readonly<Record<string, Samples>>;

export function figuresOf(row: Row, samples: SamplesByExperiment): Figure[] {
  return row.comparisons.map((comparison) => figureOf(row, comparison, samples));
}

function figureOf(row: Row, { of, against, target }: Comparison, all: SamplesByExperiment): Figure {
  const ours = samplesOf(of, all);
  const theirs = against === undefined ? undefined : samplesOf(against, all);
  const isFaster = target !== undefined && 'timesFasterMin' in target;
  const rounds = ours.map((sample, round) => {
    const other = theirs?.[round];
    if (other === undefined) return sample;
    return isFaster ? other / sample : sample / other;
  });
  const figure = median(rounds);
  return {
    row: row.number,
    unit: row.unit,
    of: of.subject,
    against: against?.subject,
    target,
    figure,
    low: quantile(rounds, 0.25),
    high: quantile(rounds, 0.75),
    isMet: target === undefined ? undefined : meets(figure, target),
    ours: median(ours),
    theirs: theirs === undefined ? undefined : median(theirs),
  };
}

function samplesOf({ experiment, subject }: Side, all: SamplesByExperiment): number[] {
  const samples = all[experiment]?.[subject];
  if (samples === undefined) throw new Error(`nothing was measured of ${experiment}: ${subject}`);
  return samples;
}

function meets(figure: number, target: Target): boolean {
  if ('timesFasterMin' in target) return figure >= target.timesFasterMin;
  if ('timesMax' in target) return figure <= target.timesMax;
  return figure <= ('bytesMax' in target ? target.bytesMax : target.nsMax);
}
