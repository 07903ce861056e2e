import type { Comparison, Target } from './rows.ts';

/** Compares subjects of one experiment. */
export function comparing(experiment: string) {
  return (of: string, against: string, target?: Target): Comparison => {
    const sides = { of: { experiment, subject: of }, against: { experiment, subject: against } };
    return target === undefined ? sides : { ...sides, target };
  };
}
