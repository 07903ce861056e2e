/**
 * A fence that several threads share is one word:
 *
 *     0              pending
 *     error << 1     pending, and going to fail with that number
 *     1              ended, ok
 *     error << 1 | 1 ended, with that error
 *
 * It changes by compareExchange only, from a value that has been seen, and never again once its
 * lowest bit is set. So there is one first error and one end, all threads see the same, and who is
 * terminated between two steps leaves nothing half done. Who ends it wakes all who wait on the
 * word; who waits looks at the word before he sleeps, and sleeps only if it is still what he saw.
 */

/** Atomics, or a stand-in that lets a test choose who makes the next step. */
export type FenceSteps = Pick<typeof Atomics, 'load' | 'compareExchange' | 'wait' | 'notify'>;

/** The greatest error that fits. */
export const errorNumberMax = 2 ** 29;

export function hasEnded(word: number): boolean {
  return (word & 1) !== 0;
}

/** The number of the error, 0 if there is none. */
export function errorIn(word: number): number {
  return word >>> 1;
}

/** False if there is one already, or the fence has ended. */
export function setErrorIn(
  words: Int32Array,
  at: number,
  error: number,
  steps: FenceSteps = Atomics,
): boolean {
  return steps.compareExchange(words, at, 0, error << 1) === 0;
}

/** With an error of 0 it ends well, unless one has been set. False if it had ended before. */
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

/** Blocks the thread until it ends, or for so long: the word as it is then, ended or not. */
export function blockOn(
  words: Int32Array,
  at: number,
  leftMs: () => number,
  steps: FenceSteps = Atomics,
): number {
  for (;;) {
    const word = steps.load(words, at);
    if (hasEnded(word)) return word;
    // It may end just as the time does: the last look decides.
    if (steps.wait(words, at, word, leftMs()) === 'timed-out') return steps.load(words, at);
  }
}
