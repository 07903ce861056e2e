/**
 * Node's channels for Web Locks, with Node's messages, so that subscribers to Node's locks also
 * receive these. Without node:diagnostics_channel nothing is published.
 * https://nodejs.org/api/diagnostics_channel.html#web-locks
 */

import type { LockTerms } from './web-idl.ts';

interface Channel {
  readonly hasSubscribers: boolean;
  publish(message: unknown): void;
}

type Load = (id: string) => { channel(name: string): Channel } | undefined;

const load = globalThis.process?.getBuiltinModule as Load | undefined;
const module = load?.('diagnostics_channel');
const start = module?.channel('locks.request.start');
const grant = module?.channel('locks.request.grant');
const miss = module?.channel('locks.request.miss');
const end = module?.channel('locks.request.end');

/** A request is made. `name` is a list of names if a set is requested. */
export function publishStart({ names, mode }: LockTerms): void {
  if (start?.hasSubscribers) start.publish({ name: names, mode });
}

/** A request is granted, and its callback is about to run. */
export function publishGrant({ names, mode }: LockTerms): void {
  if (grant?.hasSubscribers) grant.publish({ name: names, mode });
}

/** A lock is not available, and the callback is about to run with null. */
export function publishMiss({ names, mode }: LockTerms): void {
  if (miss?.hasSubscribers) miss.publish({ name: names, mode });
}

/** The promise of a request is about to be fulfilled, or rejected with `error`. */
export function publishEnd(terms: LockTerms, error: unknown): void {
  if (!end?.hasSubscribers) return;
  const { names, mode, ifAvailable, steal } = terms;
  end.publish({ name: names, mode, ifAvailable, steal, error });
}
