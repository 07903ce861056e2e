/** What the clients of a chaos run write down for the monitor to judge. */

import { createHash } from 'node:crypto';

/** A grant of the set at `key`, as its client received it. */
export interface ReportedGrant {
  readonly token: number;
  readonly key: string;
  readonly recovered: readonly string[];
}

/** Of a copy of the state: see {@link Replica.digest}. */
export function hashOf(digest: string): string {
  return createHash('sha256').update(digest).digest('hex').slice(0, 16);
}
