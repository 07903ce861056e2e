/** Many worlds of a simulation, as the tests of each backend run them. */

import { expect } from 'vitest';
import { Seeds, type SeedsOptions } from './seeds.ts';

interface LoggedOutcome {
  readonly lines: readonly string[];
}

export interface ManyWorlds<O extends LoggedOutcome> {
  /** Their test is `test/sim/NAME.test.ts`. */
  readonly name: string;
  readonly seeds: SeedsOptions;
  /** Number of kinds of worlds, by the faults in them. */
  readonly kindCount: number;
  run(seed: number, options: { readonly log: boolean }): Promise<O>;
  kindOf(outcome: O): string;
  /** What must occur: in many worlds each at least once, and more sections than worlds. */
  countsOf(outcome: O): Readonly<Record<string, number>> & { readonly sections: number };
}

/** Prints the line that repeats a world that fails, and the log of its world. */
export async function expectNoFault<O extends LoggedOutcome>(worlds: ManyWorlds<O>): Promise<void> {
  const seeds = new Seeds(worlds.seeds);
  const seen: Record<string, number> = {};
  const kinds = new Set<string>();
  for (const seed of seeds) {
    try {
      const outcome = await worlds.run(seed, { log: seeds.isRepeat });
      if (seeds.isRepeat) console.info(outcome.lines.join('\n'));
      kinds.add(worlds.kindOf(outcome));
      for (const [what, count] of Object.entries(worlds.countsOf(outcome))) {
        seen[what] = (seen[what] ?? 0) + count;
      }
    } catch (error) {
      // A WorldFailure, perhaps of a module of its own.
      if (error instanceof Error && 'lines' in error) {
        console.error((error.lines as readonly string[]).join('\n'));
      }
      console.error(`KDS_SIM_SEED=${seed} npx vitest run test/sim/${worlds.name}.test.ts`);
      throw error;
    }
  }
  console.info(`${seeds.count} worlds: ${JSON.stringify(seen)}`);
  if (!seeds.areMany) return;
  // A simulation in which nothing happens finds nothing.
  expect(kinds.size).toBe(worlds.kindCount);
  expect(seen['sections']).toBeGreaterThan(seeds.count);
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(0);
}

/** Each seed has a log of more than `lineCountMin` lines, the same one each time. */
export async function expectSameRuns(
  run: (seed: number) => Promise<LoggedOutcome>,
  lineCountMin: number,
): Promise<void> {
  for (const seed of [1, 2, 3, 4, 5]) {
    const { lines } = await run(seed);
    const again = await run(seed);
    expect(again.lines).toEqual(lines);
    expect(lines.length).toBeGreaterThan(lineCountMin);
  }
}

/** A fault is noticed within the first `seedCount` seeds: so its test has no luck in it. */
export async function expectNoticed(
  faultName: string,
  seedCount: number,
  run: (seed: number) => Promise<unknown>,
): Promise<void> {
  let failure: unknown;
  let seed = 0;
  while (failure === undefined && seed < seedCount) {
    seed++;
    failure = await run(seed).then(
      () => undefined,
      (error: unknown) => error,
    );
  }
  expect(failure, `nothing in ${seedCount} seeds`).toMatchObject({ name: 'WorldFailure' });
  console.info(`${faultName}: seed ${seed}, ${(failure as Error).message.slice(0, 160)}`);
}
