/**
 * The owners of an arena's sets: a set's userData names its agent, and the objects that stand for
 * an agent's own sets are its own. What an operation has granted or taken back for another agent
 * goes to that agent's inbox.
 */

import type { Core } from '../../core/index.ts';
import { LocalGrant } from '../../local/grant.ts';
import type { Owners, OwnObject } from '../../local/owners.ts';
import type { ResolvedSet } from '../../local/resources.ts';
import * as C from './control.ts';
import { post } from './inbox.ts';
import { agentOf, freeLabels, slotsOfLabels, writeLabels } from './labels.ts';

/** What owners need of their backend. */
interface OwnersSource {
  readonly core: Core;
  readonly agent: { readonly control: Int32Array; readonly number: number };
  readonly queues: { makeRoom(slotCount: number, found: ResolvedSet): void };
  readonly doorbells: {
    keepsAlive: boolean;
    listen(): void;
    notifyAfter(agent: number): void;
    grantAfter(agent: number, set: number): void;
  };
  readonly clock: { now(): number };
  /** Whether an operation of this agent is under way: it listens as it ends. */
  isWithin(): boolean;
}

export class ArenaOwners implements Owners {
  readonly #source: OwnersSource;
  readonly #core: Core;
  readonly #objects = new Map<number, OwnObject>();
  #waitingCount = 0;

  constructor(source: OwnersSource) {
    this.#source = source;
    this.#core = source.core;
  }

  get isEmpty(): boolean {
    return this.#objects.size === 0;
  }

  userDataFor(
    set: ResolvedSet,
    label: string | undefined,
    sessionLabel: string | undefined,
    moreCount: number,
  ): number {
    const { agent, queues } = this.#source;
    const slotCount = 1 + set.count + slotsOfLabels(label, sessionLabel) + moreCount;
    queues.makeRoom(slotCount + this.#slotsOfUnits(set), set);
    return writeLabels(this.#words, agent.number, label, sessionLabel);
  }

  freeUserData(userData: number): void {
    freeLabels(this.#words, userData);
  }

  attach(object: OwnObject): void {
    this.#objects.set(object.set, object);
    if (!(object instanceof LocalGrant)) this.#countWaiting(1);
    if (!this.#source.isWithin()) this.#source.doorbells.listen();
  }

  take(set: number): OwnObject | undefined {
    const object = this.#objects.get(set);
    if (object === undefined) return undefined;
    this.#objects.delete(set);
    if (!(object instanceof LocalGrant)) this.#countWaiting(-1);
    return object;
  }

  end(set: number): OwnObject | undefined {
    const object = this.take(set);
    freeLabels(this.#words, this.#core.userData(set));
    return object;
  }

  all(): readonly OwnObject[] {
    return [...this.#objects.values()];
  }

  sets(): readonly number[] {
    const { number } = this.#source.agent;
    return this.#core.sets().filter((set) => this.agentOf(set) === number);
  }

  agentOf(set: number): number {
    return agentOf(this.#words, this.#core.userData(set));
  }

  forwardGranted(set: number): boolean {
    const owner = this.#post(set);
    if (owner < 0) return false;
    const { agent, doorbells, clock } = this.#source;
    if (agent.control[C.wordsOfAgent(owner) + C.BLOCKED_SET] === set) {
      this.#core.setGrantedAt(set, clock.now());
      doorbells.grantAfter(owner, set);
    }
    return true;
  }

  forwardLost(set: number): boolean {
    return this.#post(set) >= 0;
  }

  /** Puts a set of another agent into that agent's inbox. Returns the agent, or -1 for its own. */
  #post(set: number): number {
    const owner = this.agentOf(set);
    if (owner === this.#source.agent.number) return -1;
    post(this.#words, owner, set);
    this.#source.doorbells.notifyAfter(owner);
    return owner;
  }

  /** What its numbers of units take, and the capacities that it asserts. */
  #slotsOfUnits({ queues, count, exclusiveCount, unitsCount, asserted }: ResolvedSet): number {
    const core = this.#core;
    let slotCount = core.slotsOfNumbers(queues, count);
    for (let index = exclusiveCount; index < exclusiveCount + unitsCount; index++) {
      const [queue, of] = [queues[index] as number, asserted[index] as number];
      if (of !== 0 && !core.isMetered(queue)) slotCount += 1 + core.slotsOfCapacity(queue);
    }
    return slotCount;
  }

  get #words(): Int32Array {
    return this.#core.memory.words;
  }

  #countWaiting(change: 1 | -1): void {
    this.#waitingCount += change;
    if (this.#waitingCount === (change === 1 ? 1 : 0)) {
      this.#source.doorbells.keepsAlive = this.#waitingCount > 0;
    }
  }
}
