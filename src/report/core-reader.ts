/** Sets of core with their labels and names: those of a domain now, or of a copy of its state. */

import type { Core } from '../core/index.ts';

/** What reports read: sets of core by number, and what is known of them besides. */
export interface CoreReader {
  readonly core: Core;
  readonly clock: { now(): number; toEpochMs(timeMs: number): number };
  /** The id of a set: the same while it waits and while it is held; later arrivals have more. */
  idOf(set: number): number;
  /** The token of a granted set. */
  tokenOf(set: number): number;
  labelOf(set: number): string | undefined;
  /** The label of the session that requested the set. */
  sessionLabelOf(set: number): string | undefined;
  /** When the set was granted, or, while it waits, when it arrived; by the clock. */
  sinceOf(set: number): number;
  /** The name of a queue's resource, for messages. */
  nameOf(queue: number): string;
  /** The names of a queue's units; undefined if they have numbers only. */
  unitNamesOf(queue: number): readonly string[] | undefined;
  /** The numbers of the units of a granted link, where it is not core that gives them. */
  numbersOf?(link: number): readonly number[];
  /** A copy of the present state, which changes no more. Within an operation. */
  copy(): CoreReader;
}

/** A clock whose times core keeps in 32 bits. */
export interface StampClock {
  /** Ms since a moment of the clock's own. */
  now(): number;
  /** The last time with these low 32 bits: right for 49 days. */
  fromStamp(note: number): number;
  /** Ms since 1970. */
  toEpochMs(timeMs: number): number;
}

/** A reader of a domain whose state this thread can reach. */
export interface LocalReader extends CoreReader {
  /** The owner that the session of a set was given; undefined if it has none. */
  ownerOf?(set: number): number | undefined;
  copy(): LocalReader;
}
