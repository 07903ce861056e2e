/** Throws from a task of its own, where it is an uncaught exception like any. */
export function throwUncaught(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
