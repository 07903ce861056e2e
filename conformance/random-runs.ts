/**
 * Random runs beside the oracle: several parties ask, cancel, release, weaken, steal and leave, and
 * after every step the host must show what the rule says.
 *
 * A failure prints its seed and path, and the operations left after shrinking. KDS_SEED and
 * KDS_PATH repeat it; KDS_SHRINK=no leaves it as long as it is. fast-check, an optional peer of the
 * package, is loaded only here.
 */

import type * as FastCheck from 'fast-check';
import type { ConformanceHost } from './host.ts';
import { type Operation, Pair } from './pair.ts';
import { aStep, operationOf, type Step } from './random-steps.ts';
import type { Suite } from './suite.ts';
import { World } from './world.ts';

const runCountDefault = 200;
const stepCountMax = 80;
const partyCount = 3;

export function testRandomRuns(suite: Suite): void {
  suite.group('random runs', () => {
    suite.testHost('the host does what the rule says, step by step', async (host) => {
      const fc = await loadFastCheck();
      const seed = Number(variable('KDS_SEED') ?? Date.now() % 2 ** 31);
      const path = variable('KDS_PATH');
      console.info(`random runs of ${host.name}: KDS_SEED=${seed}`);
      const steps = fc.array(aStep(fc, host, partyCount), {
        maxLength: stepCountMax,
        size: 'max',
      });
      const property = fc.asyncProperty(steps, (list) => walk(host, list));
      const numRuns = host.randomRunCount ?? runCountDefault;
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

async function walk(host: ConformanceHost, steps: readonly Step[]): Promise<void> {
  const world = await World.open(host);
  const done: Operation[] = [];
  try {
    const pair = await Pair.open(world, partyCount);
    for (const step of steps) {
      const operation = operationOf(step, pair.oracle);
      if (operation === undefined) continue;
      done.push(operation);
      await pair.apply(operation);
    }
    await pair.end();
  } catch (cause) {
    await world.dispose().catch(() => undefined);
    throw told(done, cause);
  }
  await world.end();
}

/** An error that tells the operations that lead to it, one a line. */
function told(operations: readonly Operation[], cause: unknown): Error {
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
