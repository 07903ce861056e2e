/** Sets of a host, and of a copy of its state: their ids, tokens and times are what core keeps. */

import type { Core } from '../core/index.ts';
import type { SetsInView } from '../report/core-reader.ts';
import type { HostClock } from './host.ts';

export abstract class HostSets implements SetsInView {
  readonly core: Core;
  readonly clock: HostClock;

  constructor(core: Core, clock: HostClock) {
    this.core = core;
    this.clock = clock;
  }

  abstract labelOf(set: number): string | undefined;
  abstract sessionLabelOf(set: number): string | undefined;
  abstract nameOf(queue: number): string;
  abstract copy(): HostSets;

  idOf(set: number): number {
    return this.core.arrival(set);
  }

  tokenOf(set: number): number {
    return this.core.token(set);
  }

  sinceOf(set: number): number {
    return this.clock.fromNote(this.core.note(set));
  }
}
