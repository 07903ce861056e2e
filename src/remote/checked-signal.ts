/**
 * An abort signal that is up to date at each read. The event loop aborts a signal in a timer or on
 * a message, and a program that has blocked the event loop may read `aborted` before either has
 * run.
 */

type Read = (this: AbortSignal) => unknown;

const readAborted = getterOf('aborted');
const readReason = getterOf('reason');

/**
 * `check` runs before each read of the signal's state, and may abort the signal. Not before a read
 * that `check` itself causes: `abort` of Deno reads the public `aborted` before it sets it.
 */
export function checkOnRead(signal: AbortSignal, check: () => void): void {
  let isChecking = false;
  const checked = (read: Read) => () => {
    if (!isChecking) {
      isChecking = true;
      try {
        check();
      } finally {
        isChecking = false;
      }
    }
    return read.call(signal);
  };
  Object.defineProperties(signal, {
    aborted: { get: checked(readAborted) },
    reason: { get: checked(readReason) },
    throwIfAborted: { value: checked(AbortSignal.prototype.throwIfAborted) },
  });
}

function getterOf(name: 'aborted' | 'reason'): Read {
  const getter = Object.getOwnPropertyDescriptor(AbortSignal.prototype, name)?.get;
  return getter ?? (() => undefined);
}
