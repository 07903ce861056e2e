/** Catching what a runtime would report as an uncaught exception, whatever else listens for it. */

import { within } from './assertions.ts';

type Listener = (error: unknown) => void;

/** What Node, Bun and Deno have of `process`. */
interface Emitter {
  rawListeners(event: string): readonly Listener[];
  on(event: string, listener: Listener): unknown;
  off(event: string, listener: Listener): unknown;
}

/** What a runtime reports: in Node, and in browsers. */
interface Report {
  readonly event: string;
  readonly browserEvent: string;
  /** What is reported, of the event of a browser. */
  readonly of: (event: Event) => unknown;
}

const uncaught: Report = {
  event: 'uncaughtException',
  browserEvent: 'error',
  of: (event) => (event as ErrorEvent).error,
};
const unhandled: Report = {
  event: 'unhandledRejection',
  browserEvent: 'unhandledrejection',
  of: (event) => (event as PromiseRejectionEvent).reason,
};

/** Runs `body`, and returns the first `count` uncaught errors, when they have been reported. */
export function uncaughtDuring(
  count: number,
  body: () => Promise<void>,
): Promise<readonly unknown[]> {
  return reportedDuring(uncaught, count, body);
}

/** The same of rejections that nobody handles. */
export function unhandledDuring(
  count: number,
  body: () => Promise<void>,
): Promise<readonly unknown[]> {
  return reportedDuring(unhandled, count, body);
}

async function reportedDuring(
  report: Report,
  count: number,
  body: () => Promise<void>,
): Promise<readonly unknown[]> {
  const errors: unknown[] = [];
  let end: () => void = () => undefined;
  const reported = new Promise<void>((resolve) => {
    end = resolve;
  });
  const stop = listen(report, (error) => {
    errors.push(error);
    if (errors.length === count) end();
  });
  try {
    await body();
    await within(reported, `${count} report(s) of ${report.event}`);
  } finally {
    stop();
  }
  return errors;
}

/** In place of all others; they are back when the function that is returned has been called. */
function listen(report: Report, listener: Listener): () => void {
  const { process } = globalThis as unknown as { readonly process?: Partial<Emitter> };
  if (process?.rawListeners === undefined) return listenInBrowser(report, listener);
  const emitter = process as Emitter;
  const { event } = report;
  const others = [...emitter.rawListeners(event)];
  for (const other of others) emitter.off(event, other);
  emitter.on(event, listener);
  return () => {
    emitter.off(event, listener);
    for (const other of others) emitter.on(event, other);
  };
}

function listenInBrowser({ browserEvent, of }: Report, listener: Listener): () => void {
  const onEvent = (event: Event) => {
    event.preventDefault();
    event.stopImmediatePropagation();
    listener(of(event));
  };
  globalThis.addEventListener(browserEvent, onEvent, { capture: true });
  return () => globalThis.removeEventListener(browserEvent, onEvent, { capture: true });
}
