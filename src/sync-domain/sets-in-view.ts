/** Sets of core, and what is known of them besides: a host's, or those of a copy of its state. */

import type { Core } from '../core/index.ts';

export interface SetsInView {
  readonly core: Core;
  readonly resources: { nameOf(queue: number): string };
  readonly clock: { now(): number; toEpochMs(timeMs: number): number };
  /** The same while it waits and while it is held, and grows with arrival. */
  idOf(set: number): number;
  /** Of a granted set. */
  tokenOf(set: number): number;
  labelOf(set: number): string | undefined;
  sessionLabelOf(set: number): string | undefined;
  /** When it was granted, or, if it waits, made: on the clock. */
  sinceOf(set: number): number;
}
