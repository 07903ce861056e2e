/** Replays test vectors in an engine, and stops at the first outcome that is another one. */

import { outcomeOf, type Seen, type Step, textOf, vectorsOf } from './vectors.ts';

/** Keeps the rule, and can go back. */
export interface Engine {
  /** Goes back to the state that the last step at `depth - 1` has left; 0: to the empty one. */
  back(depth: number): void;
  /**
   * Does a step. Throws if the engine's state afterwards does not agree with itself. Undefined:
   * it has done the very same in this state before.
   */
  perform(step: Step): Seen | undefined;
}

/** Returns the number of steps done. */
export function replay(text: string, engine: Engine): number {
  const path: string[] = [];
  let stepCount = 0;
  for (const { depth, step, outcome } of vectorsOf(text)) {
    path.length = depth;
    path.push(textOf(step));
    try {
      engine.back(depth);
      const seen = engine.perform(step);
      if (seen === undefined) continue;
      stepCount++;
      const found = outcomeOf(seen);
      if (found !== outcome) throw new Error(`expected "${outcome}", the engine has "${found}"`);
    } catch (cause) {
      const what = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`${what}, after\n${path.join('\n')}`, { cause });
    }
  }
  return stepCount;
}
