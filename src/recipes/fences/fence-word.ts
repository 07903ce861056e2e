/**
 * A fence that several threads share is one word:
 *
 *     0              pending
 *     error << 1     pending, and going to fail with that number
 *     1              ended, ok
 *     error << 1 | 1 ended, with that error
 *
 * It changes by compareExchange only, from a value that was read, and never again once its lowest
 * bit is set. So there is one first error and one end, all threads see the same, and a thread that
 * is terminated between two steps leaves nothing half done. The thread that ends a fence wakes all
 * that wait on the word; a waiting thread reads the word before it sleeps, and sleeps only if the
 * word is still the same.
 */

/** Atomics, or a stand-in that lets a test choose the thread that makes the next step. */
export type FenceSteps = Pick<typeof Atomics, 'load' | 'compareExchange' | 'wait' | 'notify'>;

/** The greatest error that fits. */
export const errorNumberMax = 2 ** 29;

export function hasEnded(word: number): boolean {
  return (word & 1) !== 0;
}

/** The number of the error; 0: no error. */
export function errorIn(word: number): number {
  return word >>> 1;
}

/** False if an error was set before, or the fence has ended. */
export function setErrorIn(
  words: Int32Array,
  at: number,
  error: number,
  steps: FenceSteps = Atomics,
): boolean {
  return steps.compareExchange(words, at, 0, error << 1) === 0;
}

/** An error of 0 means ok, unless an error was set before. False if the fence had ended before. */
export function endWord(
  words: Int32Array,
  at: number,
  error: number,
  steps: FenceSteps = Atomics,
): boolean {
  for (;;) {
    const word = steps.load(words, at);
    if (hasEnded(word)) return false;
    const end = (word === 0 ? error << 1 : word) | 1;
    if (steps.compareExchange(words, at, word, end) !== word) continue;
    steps.notify(words, at);
    return true;
  }
}

/** Blocks the thread until the fence ends or the time is over. Returns the word of that moment. */
export function blockOn(
  words: Int32Array,
  at: number,
  leftMs: () => number,
  steps: FenceSteps = Atomics,
): number {
  for (;;) {
    const word = steps.load(words, at);
    if (hasEnded(word)) return word;
    // The fence may end just as the time does: the last read decides.
    if (steps.wait(words, at, word, leftMs()) === 'timed-out') return steps.load(words, at);
  }
}
