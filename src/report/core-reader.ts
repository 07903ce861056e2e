/** Sets of core, and what is known of them besides: a host's, or those of a copy of its state. */

import type { Core } from '../core/index.ts';

export interface SetsInView {
  readonly core: Core;
  readonly clock: { now(): number; toEpochMs(timeMs: number): number };
  /** The same while it waits and while it is held, and grows with arrival. */
  idOf(set: number): number;
  /** Of a granted set. */
  tokenOf(set: number): number;
  /** For people: who asked for a set, and through what session. */
  labelOf(set: number): string | undefined;
  sessionLabelOf(set: number): string | undefined;
  /** When it was granted, or, if it waits, made: on the clock. */
  sinceOf(set: number): number;
  /** What a queue stands for, for people. */
  nameOf(queue: number): string;
  /** The same sets as they are now, within an operation, to be looked at while these change. */
  copy(): SetsInView;
}
