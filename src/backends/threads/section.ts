/**
 * The critical section that an operation on an arena runs in.
 *
 * It takes the arena's lock and opens the journal; the operation works; it closes both. If the
 * thread ends in between, the next one undoes what is in the journal. What the operation has done
 * for other agents is in their inboxes by then, and they are notified when the lock is free.
 */

import { begin, commit, isOpen, layJournal, rollBack } from '../../core/index.ts';
import * as L from '../../core/layout.ts';
import type { Operations } from '../../local/operations.ts';
import type { Agent } from './agent.ts';
import type { ArenaMemory } from './arena.ts';
import { LOCK } from './control.ts';
import type { Doorbells } from './doorbells.ts';
import { Inbox } from './inbox.ts';
import { ArenaLock } from './lock.ts';
import { ArenaLockEnvironment } from './lock-environment.ts';
import type { ArenaOwners } from './owners.ts';
import type { ArenaQueues } from './queues.ts';
import { Reaper } from './reaper.ts';
import type { ArenaRetries } from './retries.ts';
import { thread } from './thread.ts';

/** The parts of a backend that a section works with. */
interface SectionSource {
  readonly agent: Agent;
  readonly doorbells: Doorbells;
  readonly operations: Operations;
  readonly owners: ArenaOwners;
  readonly queues: ArenaQueues;
  readonly retries: ArenaRetries;
}

export class Section {
  readonly inbox: Inbox;
  /** The arena's lock, or what stands in its place until the agent has joined. */
  lock: Pick<ArenaLock, 'take' | 'tryTake' | 'letGo' | 'wakeAll'>;
  readonly #memory: ArenaMemory;
  readonly #source: SectionSource;
  readonly #reaper: Reaper;
  #depth = 0;

  constructor(memory: ArenaMemory, source: SectionSource) {
    const { agent, doorbells, operations, owners } = source;
    const { control, number } = agent;
    this.#memory = memory;
    this.#source = source;
    this.inbox = new Inbox(agent, operations);
    const environment = new ArenaLockEnvironment(control, number, thread.maySleep);
    this.lock = new ArenaLock(control, LOCK, number, environment);
    const renew = (): void => this.#renew();
    this.#reaper = new Reaper({ control, doorbells, operations, owners, renew });
  }

  /** Whether an operation of this agent is under way. */
  get isOpen(): boolean {
    return this.#depth > 0;
  }

  /** @throws UnavailableError: then nothing has begun. */
  begin(): void {
    if (this.#depth++ > 0) return;
    try {
      const dead = this.lock.take();
      if (dead >= 0) this.#reaper.add(dead);
    } catch (error) {
      this.#depth = 0;
      throw error;
    }
    try {
      this.#prepare();
    } catch (error) {
      this.rollBack();
      throw error;
    }
  }

  /**
   * Begins an operation that needs no journal (core's intent.ts), and that has nothing to do but
   * what it is called for; false if the lock is not free, or anything else is due.
   */
  beginPlain(): boolean {
    if (this.#depth > 0 || !this.lock.tryTake()) return false;
    if (!this.#isAnythingDue()) return true;
    this.lock.letGo();
    return false;
  }

  commitPlain(): void {
    this.lock.letGo();
  }

  /** Locked. As {@link #prepare} has it. */
  #isAnythingDue(): boolean {
    const memory = this.#memory;
    const { queues, retries } = this.#source;
    if (memory.isStale || !retries.isIdle || this.#reaper.isDue || !queues.isFollowed) return true;
    if (memory.words[L.JOURNAL_STAMPS] !== memory.end || isOpen(memory.words)) return true;
    return !this.inbox.isEmpty;
  }

  commit(): void {
    if (--this.#depth > 0) return;
    commit(this.#memory.words);
    this.#source.doorbells.reportGrants();
    this.#letGo();
  }

  /** An operation within another one is undone with that one. */
  rollBack(): void {
    if (--this.#depth > 0) return;
    const { words } = this.#memory;
    if (isOpen(words)) rollBack(words);
    this.#source.queues.forgetQueues();
    this.#source.doorbells.forgetGrants();
    this.#letGo();
  }

  /** Releases what a dead agent had. @throws UnavailableError */
  reap(agent: number): void {
    const { operations } = this.#source;
    this.#reaper.add(agent);
    operations.begin();
    operations.commit();
    // It may have died just as it was to wake another thread.
    this.lock.wakeAll();
  }

  /** The lock has been taken, and what a dead agent was about is to be undone. */
  #prepare(): void {
    const memory = this.#memory;
    const { doorbells, queues, retries } = this.#source;
    retries.reached();
    if (memory.isStale) memory.refresh();
    // The thread that made it larger did not get to this.
    if (memory.words[L.JOURNAL_STAMPS] !== memory.end) layJournal(memory.words, memory.end);
    if (isOpen(memory.words)) rollBack(memory.words);
    begin(memory.words);
    this.#reaper.reapDue();
    doorbells.own.read();
    // Notices come before the doorbell grows, so the inbox decides.
    if (!this.inbox.isEmpty) {
      this.inbox.take();
      // What has been reported stands, whatever becomes of the operation that comes now.
      this.#renew();
    }
    queues.follow();
    if (retries.run()) this.#renew();
  }

  #renew(): void {
    commit(this.#memory.words);
    begin(this.#memory.words);
  }

  #letGo(): void {
    const { doorbells, operations, owners } = this.#source;
    this.lock.letGo();
    doorbells.notifyDue();
    if (!owners.isEmpty) doorbells.listen();
    operations.delivery.runDirect();
  }
}
