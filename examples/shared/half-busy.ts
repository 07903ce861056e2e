const busyTaskMs = 10;

/**
 * Computes for 10 of every 20 ms on this thread, so that its event loop is busy half of the time.
 * Returns a function to stop.
 */
export function keepHalfBusy(): () => void {
  const timer = setInterval(() => {
    const untilMs = performance.now() + busyTaskMs;
    while (performance.now() < untilMs);
  }, 2 * busyTaskMs);
  return () => clearInterval(timer);
}
