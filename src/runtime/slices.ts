/** Long work, a slice at a time, so that the event loop is not stopped for long. */

import { setRealImmediate } from './real-time.ts';

/** So long a slice is, in ms. */
const sliceMs = 5;
/** After so many items the work may be interrupted: to look at the time at each would cost more. */
export const itemsPerStep = 200;

/**
 * Runs what a generator does, which yields wherever it may be interrupted. Short work is done
 * before this returns; of longer work all but the first slice comes later.
 */
export async function inSlices<R>(work: Iterator<void, R>): Promise<R> {
  for (;;) {
    const endMs = performance.now() + sliceMs;
    do {
      const step = work.next();
      if (step.done === true) return step.value;
    } while (performance.now() < endMs);
    await turn();
  }
}

/** The same at once. */
export function atOnce<R>(work: Iterator<void, R>): R {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

/** Work of this kind: does something with each item. */
export function* eachInSteps<T>(items: Iterable<T>, act: (item: T) => void): Generator<void, void> {
  let count = 0;
  for (const item of items) {
    act(item);
    if (++count % itemsPerStep === 0) yield;
  }
}

export function* mapInSteps<T, R>(items: Iterable<T>, map: (item: T) => R): Generator<void, R[]> {
  const results: R[] = [];
  yield* eachInSteps(items, (item) => results.push(map(item)));
  return results;
}

/**
 * Sorts by numbers; items whose numbers are the same stay in order. Only bare numbers are sorted at
 * once, which is quick: to compare items would stop all for long.
 */
export function* sortInSteps<T>(
  items: Iterable<T>,
  numberOf: (item: T) => number,
): Generator<void, T[]> {
  const byNumber = new Map<number, T[]>();
  yield* eachInSteps(items, (item) => {
    const number = numberOf(item);
    const same = byNumber.get(number);
    if (same === undefined) byNumber.set(number, [item]);
    else same.push(item);
  });
  const numbers = Float64Array.from(byNumber.keys());
  yield;
  numbers.sort();
  yield;
  const sorted: T[] = [];
  yield* eachInSteps(numbers, (number) => {
    // Not all as arguments: a call takes only as many as the stack has room for.
    for (const item of byNumber.get(number) as T[]) sorted.push(item);
  });
  return sorted;
}

/** Whatever else is due has its turn. */
function turn(): Promise<void> {
  return new Promise(setRealImmediate);
}
