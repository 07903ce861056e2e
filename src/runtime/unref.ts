/** Lets the process end although the timer is set; a browser's is a number and never keeps one. */
export function unref(timer: ReturnType<typeof setTimeout> | undefined): void {
  if (typeof timer === 'object') timer.unref?.();
}
