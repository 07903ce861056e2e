/** Sets of core with their labels and names: those of a domain now, or of a copy of its state. */

import type { SnapshotEntry } from '../api/snapshot.ts';
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

/** A reader whose ids, tokens and times core itself keeps. */
export abstract class LocalReader implements CoreReader {
  readonly core: Core;
  readonly clock: StampClock;

  constructor(core: Core, clock: StampClock) {
    this.core = core;
    this.clock = clock;
  }

  abstract labelOf(set: number): string | undefined;
  abstract sessionLabelOf(set: number): string | undefined;
  abstract nameOf(queue: number): string;
  abstract copy(): LocalReader;

  /** The owner that the session of a set was given; undefined if it has none. */
  ownerOf(_: number): number | undefined {
    return undefined;
  }

  /** Completes the entry of a set in a snapshot. */
  readonly withOwner = (entry: SnapshotEntry, set: number): SnapshotEntry => {
    const owner = this.ownerOf(set);
    return owner === undefined ? entry : Object.assign(entry, { owner });
  };

  idOf(set: number): number {
    return this.core.arrival(set);
  }

  tokenOf(set: number): number {
    return this.core.token(set);
  }

  sinceOf(set: number): number {
    return this.clock.fromStamp(this.core.grantedAt(set));
  }
}
