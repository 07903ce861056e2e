/** Long work, a slice at a time, so that the event loop is not stopped for long. */

/** So long a slice is, in ms. */
const sliceMs = 5;

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

/** Whatever else is due has its turn. */
function turn(): Promise<void> {
  const immediate = globalThis.setImmediate as ((run: () => void) => unknown) | undefined;
  return new Promise((resolve) => {
    if (immediate === undefined) setTimeout(resolve, 0);
    else immediate(resolve);
  });
}
