/** Catching what a runtime would report as an uncaught exception, whatever else listens for it. */

import { within } from './assertions.ts';

type Listener = (error: unknown) => void;

/** What Node, Bun and Deno have of `process`. */
interface Emitter {
  rawListeners(event: string): readonly Listener[];
  on(event: string, listener: Listener): unknown;
  off(event: string, listener: Listener): unknown;
}

const uncaught = 'uncaughtException';

/** Runs `body`, and returns the first `count` errors that are reported, when they are. */
export async function uncaughtDuring(
  count: number,
  body: () => Promise<void>,
): Promise<readonly unknown[]> {
  const errors: unknown[] = [];
  let end: () => void = () => undefined;
  const reported = new Promise<void>((resolve) => {
    end = resolve;
  });
  const stop = listen((error) => {
    errors.push(error);
    if (errors.length === count) end();
  });
  try {
    await body();
    await within(reported, `${count} uncaught exception(s)`);
  } finally {
    stop();
  }
  return errors;
}

/** In place of all others; they are back when the function that is returned has been called. */
function listen(listener: Listener): () => void {
  const { process } = globalThis as unknown as { readonly process?: Partial<Emitter> };
  if (process?.rawListeners === undefined) return listenInBrowser(listener);
  const emitter = process as Emitter;
  const others = [...emitter.rawListeners(uncaught)];
  for (const other of others) emitter.off(uncaught, other);
  emitter.on(uncaught, listener);
  return () => {
    emitter.off(uncaught, listener);
    for (const other of others) emitter.on(uncaught, other);
  };
}

function listenInBrowser(listener: Listener): () => void {
  const onError = (event: ErrorEvent) => {
    event.preventDefault();
    event.stopImmediatePropagation();
    listener(event.error);
  };
  globalThis.addEventListener('error', onError, { capture: true });
  return () => globalThis.removeEventListener('error', onError, { capture: true });
}
