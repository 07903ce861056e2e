/**
 * Long work in slices, so that the event loop is not blocked for long. Slices are measured in real
 * time: a clock that a test has stopped must not make one of them endless.
 */

import { realNowMs, setRealImmediate } from './real-time.ts';

/** Length of a slice, ms. */
const sliceMs = 5;
/** Items between two possible interruptions: reading the time at each item would cost more. */
export const itemsPerStep = 200;

/**
 * Runs a generator that yields wherever it may be interrupted. Short work is done before this
 * returns; of longer work all but the first slice is done later.
 */
export async function inSlices<R>(work: Iterator<void, R>): Promise<R> {
  for (;;) {
    const endMs = realNowMs() + sliceMs;
    do {
      const step = work.next();
      if (step.done === true) return step.value;
    } while (realNowMs() < endMs);
    await turn();
  }
}

/** Runs the same kind of generator without a pause. */
export function atOnce<R>(work: Iterator<void, R>): R {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

/** Work of this kind: calls a function with each item. */
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
 * Sorts by numbers; items with the same number stay in order. Only bare numbers are sorted without
 * an interruption, which is fast: comparing items would block the event loop for long.
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
    // Not by push(...items): a call takes no more arguments than the stack has room for.
    for (const item of byNumber.get(number) as T[]) sorted.push(item);
  });
  return sorted;
}

/** A turn of the event loop, for all else that is due. */
function turn(): Promise<void> {
  return new Promise(setRealImmediate);
}
