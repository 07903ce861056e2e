/** Releases what agents had whose threads have ended. */

import { eventFlags } from '../../api/events.ts';
import type { Core } from '../../core/index.ts';
import { deregisterDead, stateOf } from './agents.ts';
import { DEAD } from './control.ts';
import { emptyInbox } from './inbox.ts';

/** What a reaper needs of the operation that it works in. */
interface ReaperSource {
  readonly control: Int32Array;
  readonly owners: { agentOf(set: number): number; end(set: number): void };
  readonly doorbells: { notifyAllAfter(): void };
  readonly operations: {
    readonly core: Core;
    readonly notices: { report(): void };
    readonly events: {
      lost(set: number, token: number, cause: 'died'): void;
      missed(set: number, outcome: 'lost'): void;
    };
  };
  /** Makes what the operation has done so far permanent. */
  renew(): void;
}

export class Reaper {
  readonly #source: ReaperSource;
  /** Dead agents, to be reaped as the next operation begins. */
  readonly #due: number[] = [];

  constructor(source: ReaperSource) {
    this.#source = source;
  }

  add(agent: number): void {
    this.#due.push(agent);
  }

  get isDue(): boolean {
    return this.#due.length > 0;
  }

  /** Locked. */
  reapDue(): void {
    while (this.#due.length > 0) this.#reap(this.#due.pop() as number);
  }

  #reap(agent: number): void {
    const { control, doorbells, operations } = this.#source;
    // Another agent may have been quicker; the entry may even belong to a new agent.
    if (stateOf(control, agent) !== DEAD) return;
    this.#endSetsOf(agent);
    operations.notices.report();
    this.#source.renew();
    // Only now: a thread that ends before has not reaped the agent.
    deregisterDead(control, agent);
    doorbells.notifyAllAfter();
  }

  /** At one moment: what waited for several of them is granted in one arrival order (I6). */
  #endSetsOf(agent: number): void {
    const { owners, operations } = this.#source;
    const { core } = operations;
    emptyInbox(core.memory.words, agent);
    const sets = core.allSets().filter((set) => owners.agentOf(set) === agent);
    for (const set of sets) {
      if (eventFlags.hasSubscribers) this.#emitDied(set);
      owners.end(set);
    }
    core.removeAll(sets, true);
  }

  #emitDied(set: number): void {
    const { core, events } = this.#source.operations;
    if (core.isGranted(set)) events.lost(set, core.token(set), 'died');
    else events.missed(set, 'lost');
  }
}
