/** A check of the events of one traced domain. */

import type { TracedEvent } from './read-trace.ts';

export interface Checker {
  /** Requests that began before the trace, whose events cannot be checked. */
  readonly olderCount: number;
  /** Resources whose capacity was declared before the trace. */
  readonly olderCapacityCount: number;
  add(event: TracedEvent): void;
  end(): void;
}

/** Reports a fault at an event, or at the end of the trace. */
export type ReportFault = (event: TracedEvent | undefined, fault: string) => void;
