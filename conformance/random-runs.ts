/**
 * Random runs beside the oracle: several participants request, cancel, release, weaken and steal,
 * and after every step the backend must obey the rule.
 *
 * A failure prints its seed and path, and the operations left after shrinking. KDS_SEED and
 * KDS_PATH repeat it; KDS_SHRINK=no leaves it as long as it is. fast-check, an optional peer of the
 * package, is loaded only here.
 */

import type * as FastCheck from 'fast-check';
import type { ConformanceBackend } from './backend.ts';
import { type Operation, Pair } from './pair.ts';
import { aStep, operationOf, type Step } from './random-steps.ts';
import type { Suite } from './suite.ts';
import { World } from './world.ts';

const runCountDefault = 200;
const stepCountMax = 80;
const participantCount = 3;

export function testRandomRuns(suite: Suite): void {
  suite.group('random runs', () => {
    suite.testBackend('the backend obeys the rule, step by step', async (backend) => {
      const fc = await loadFastCheck();
      const seed = Number(variable('KDS_SEED') ?? Date.now() % 2 ** 31);
      const path = variable('KDS_PATH');
      console.info(`random runs of ${backend.name}: KDS_SEED=${seed}`);
      const steps = fc.array(aStep(fc, backend, participantCount), {
        maxLength: stepCountMax,
        size: 'max',
      });
      const property = fc.asyncProperty(steps, (list) => walk(backend, list));
      const numRuns = backend.randomRunCount ?? runCountDefault;
      const replay = path === undefined ? {} : { path };
      const endOnFailure = variable('KDS_SHRINK') === 'no';
      const run = await fc.check(property, { seed, numRuns, endOnFailure, ...replay });
      if (!run.failed) return;
      const { errorInstance: cause, counterexamplePath } = run;
      const reason = cause instanceof Error ? cause.message : String(cause);
      const again = `KDS_SEED=${seed} KDS_PATH=${counterexamplePath}`;
      throw new Error(`${reason}\nrepeat it with ${again}`, { cause });
    });
  });
}

async function walk(backend: ConformanceBackend, steps: readonly Step[]): Promise<void> {
  const world = await World.open(backend);
  const done: Operation[] = [];
  try {
    const pair = await Pair.open(world, participantCount);
    for (const step of steps) {
      const operation = operationOf(step, pair.oracle);
      if (operation === undefined) continue;
      done.push(operation);
      await pair.apply(operation);
    }
    await pair.end();
  } catch (cause) {
    await world.dispose().catch(() => undefined);
    throw withOperations(done, cause);
  }
  await world.end();
}

/** An error with the operations that lead to it, one a line. */
function withOperations(operations: readonly Operation[], cause: unknown): Error {
  const lines = operations.map((operation) => `  ${JSON.stringify(operation)}`);
  const message = cause instanceof Error ? cause.message : String(cause);
  return new Error(`${message}\nafter\n${lines.join('\n')}`, { cause });
}

async function loadFastCheck(): Promise<typeof FastCheck> {
  try {
    return await import('fast-check');
  } catch (cause) {
    throw new Error('the random runs need fast-check, an optional peer: npm i -D fast-check', {
      cause,
    });
  }
}

function variable(name: string): string | undefined {
  return globalThis.process?.env?.[name];
}
