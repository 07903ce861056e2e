/**
 * An arena as one of its agents sees it.
 *
 * Core's words are shared, and so is what core says of sets; the objects that stand for an agent's
 * own sets are its own. An operation takes the arena's lock, opens the journal, works, and closes
 * both: if its thread ends in between, the next one undoes what is in the journal. What it has
 * brought about for others it leaves in their inboxes, and rings their bells when the lock is free.
 */

import { DomainClosedError, KdsError, UnavailableError } from '../../api/errors.ts';
import { type EventDomain, eventFlags } from '../../api/events.ts';
import type { AcquireSyncOptions } from '../../api/options.ts';
import {
  begin,
  commit,
  findFaults,
  GRANTED,
  isOpen,
  layJournal,
  rollBack,
} from '../../core/index.ts';
import * as L from '../../core/layout.ts';
import { reserve } from '../../core/slots.ts';
import { HostGrant } from '../../local/grant.ts';
import { Host } from '../../local/host.ts';
import { endWaiting, type HostRequest } from '../../local/request.ts';
import type { ResolvedSet } from '../../local/resources.ts';
import type { LocalScope } from '../../local/scope.ts';
import { CoarseClock } from '../../runtime/clock.ts';
import { realNowMs, setRealTimeout } from '../../runtime/real-time.ts';
import { unref } from '../../runtime/timer.ts';
import {
  agentsIn,
  emptyInbox,
  enrol,
  fetch,
  generationOf,
  hasNews,
  post,
  stateOf,
  vacate,
  vacateDead,
  withdraw,
} from './agents.ts';
import { ArenaMemory, damaged, idOf } from './arena.ts';
import { blockFor } from './blocking.ts';
import { ArenaClock } from './clock.ts';
import * as C from './control.ts';
import { closeAtExit, closedBeforeExit, Supervisor } from './death.ts';
import { Bell, ring } from './doorbell.ts';
import { BellListener } from './doorbell-listener.ts';
import { Joining, join, NotReadyError } from './joining.ts';
import { agentOf, freeLabels, slotsOfLabels, writeLabels } from './labels.ts';
import { ArenaLock } from './lock.ts';
import { lockMsMax, Neighbours } from './neighbours.ts';
import { ArenaReader } from './reader.ts';
import { ThreadsResources } from './resources.ts';
import { mustShowLife, noteSupervisor, showLife } from './signs.ts';
import { capabilities, thread } from './thread.ts';

/** So long the event loop has before the lock is tried again. */
const laterMs = 10;
/** Of the time between two such turns so much counts: if more has passed, the loop stood still. */
const askAgainMsMax = 100;

export class ThreadsHost extends Host {
  readonly capabilities = capabilities;
  readonly clock: ArenaClock;
  readonly reader: ArenaReader;
  readonly resources: ThreadsResources;
  readonly control: Int32Array;
  readonly memory: ArenaMemory;
  readonly agent: number;
  readonly generation: number;
  readonly bell: Bell;
  readonly #listener: BellListener;
  /** Until it has joined: what stands in its place. */
  #lock: Pick<ArenaLock, 'take' | 'letGo' | 'wakeAll'>;
  #joining: Joining | undefined = undefined;
  /** What stands for sets of this agent's own. */
  readonly #objects = new Map<number, HostRequest | HostGrant>();
  #waitingCount = 0;
  #depth = 0;
  /** To be buried as the next operation begins. */
  readonly #dead: number[] = [];
  #isClosed = false;
  #supervisor: Supervisor | undefined = undefined;
  /** When those who ask again last did so in vain (0: not since it was had); and how long. */
  #askedAgainMs = 0;
  #unreachedMs = 0;
  /** To be done as soon as the lock can be had. */
  #owed: (() => void)[] = [];
  #isPayDue = false;
  readonly #whenClosed: (() => void)[] = [];
  /** Agents for whom this operation has brought something about. */
  #rung: number[] = [];
  /** Sets that it has granted to others whose threads are blocked for them. */
  #toBlocked: number[] = [];
  /** A set in the inbox whose grant has been heard of before. */
  #heard = 0;

  /** @throws LimitError, ProtocolError, UnavailableError */
  static open(control: Int32Array, label: string | undefined): ThreadsHost {
    const isJoining = mustShowLife(control);
    const agent = enrol(control, isJoining ? C.JOINING : C.LIVE);
    const host = new ThreadsHost(control, agent, label);
    if (isJoining) {
      void host.#join();
      return host;
    }
    try {
      host.#settleIn();
    } catch (error) {
      vacate(control, agent);
      throw error;
    }
    closeAtExit(host);
    void showLife(host);
    return host;
  }

  private constructor(control: Int32Array, agent: number, label: string | undefined) {
    const memory = new ArenaMemory(control);
    super(label, memory);
    this.control = control;
    this.memory = memory;
    this.agent = agent;
    this.generation = generationOf(control, agent);
    this.clock = new ArenaClock(control, new CoarseClock({ isReal: true }));
    this.reader = new ArenaReader(this.core, this.clock);
    this.bell = new Bell(control, agent);
    this.#listener = new BellListener(control, agent, this.bell, () => this.hear());
    this.#lock = new ArenaLock(
      control,
      C.LOCK,
      agent,
      new Neighbours(control, agent, thread.maySleep),
    );
    this.resources = new ThreadsResources(this);
  }

  enter(): void {
    if (this.#depth++ > 0) return;
    try {
      const dead = this.#lock.take();
      if (dead >= 0) this.#dead.push(dead);
    } catch (error) {
      this.#depth = 0;
      throw error;
    }
    try {
      this.#prepare();
    } catch (error) {
      throw this.undo(error);
    }
  }

  leave(): void {
    try {
      if (this.core.hasNews) this.takeNews();
    } catch (error) {
      throw this.undo(error);
    }
    if (--this.#depth > 0) return;
    commit(this.memory.words);
    if (this.#toBlocked.length > 0) this.#tellBlocked();
    this.#letGo();
  }

  leaveGranted(): void {
    this.leave();
  }

  undo(error: unknown): unknown {
    if (--this.#depth > 0) return error;
    const { words } = this.memory;
    if (isOpen(words)) rollBack(words);
    this.resources.forgetQueues();
    this.#toBlocked = [];
    this.#letGo();
    return error;
  }

  block(scope: LocalScope, set: number, options: AcquireSyncOptions): HostGrant {
    return blockFor(this, scope, set, options);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The bell has been rung: takes what there is in the inbox. */
  hear(): void {
    if (this.#isClosed) return;
    try {
      this.enter();
    } catch (error) {
      // One that has died with the lock is noticed by this.
      this.#supervisor?.look();
      this.#later(error, () => this.hear());
      return;
    }
    this.leave();
    if (this.#supervisor === undefined) return;
    this.#supervisor.look();
    this.#listener.listen();
  }

  /** What may not be lost is done as the next operation begins, at the latest by a timer. */
  override owe(error: unknown, task: () => void): void {
    if (!(error instanceof UnavailableError)) throw error;
    this.#owed.push(task);
    this.#payLater(error);
  }

  /**
   * A thread that may not sleep for the lock comes back after a turn of its event loop, until
   * that has been in vain too often.
   */
  override async askAgain<T>(error: unknown, ask: () => Promise<T>): Promise<T> {
    if (error instanceof NotReadyError) return this.whenReady(error, ask);
    if (thread.maySleep || !(error instanceof UnavailableError)) throw error;
    const nowMs = realNowMs();
    const isFirst = this.#askedAgainMs === 0;
    this.#unreachedMs = isFirst
      ? 0
      : this.#unreachedMs + Math.min(nowMs - this.#askedAgainMs, askAgainMsMax);
    this.#askedAgainMs = nowMs;
    if (this.#unreachedMs > lockMsMax) throw error;
    await new Promise<void>((resolve) => setRealTimeout(resolve, laterMs));
    return ask();
  }

  override whenReady<T>(error: unknown, ask: () => T): Promise<Awaited<T>> {
    const joining = this.#joining;
    if (joining === undefined || !(error instanceof NotReadyError)) throw error;
    return joining.over.then(ask) as Promise<Awaited<T>>;
  }

  /** Resolves when operations can begin. */
  get ready(): Promise<void> {
    return this.#joining?.ready ?? Promise.resolve();
  }

  /**
   * Makes room for so many slots. What the operation has done before stays done, whatever becomes
   * of it. Of what is idle, `found` stays: the operation is about to use it.
   *
   * @throws LimitError if the arena is full.
   */
  makeRoom(slotCount: number, found: ResolvedSet): void {
    while (!reserve(this.memory, slotCount)) {
      // Where the journal is now there will be slots.
      commit(this.memory.words);
      const isLarger = this.memory.enlarge();
      begin(this.memory.words);
      if (!isLarger && !this.resources.sweepAll(found)) throw this.resources.memoryIsFull();
    }
  }

  /**
   * The grant that a blocked thread has been told of, without the lock: of a set that is granted
   * nothing changes that is looked at here. What is more than usual is told with the lock.
   */
  heardOf(request: HostRequest): HostGrant | undefined {
    const { set, scope, terms } = request;
    const told = Atomics.load(this.control, C.wordsOfAgent(this.agent) + C.GRANTED_SET);
    const state = told === set ? this.core.state(set) : 0;
    if (state !== GRANTED) return undefined;
    this.#heard = set;
    this.untag(set);
    endWaiting(request);
    const grant = this.createGrant(scope, set, state, terms.label);
    if (eventFlags.hasSubscribers) this.events.granted(grant);
    return grant;
  }

  /** Releases what an agent had that is marked as dead, as by one who died. */
  bury(agent: number): void {
    this.#dead.push(agent);
    this.enter();
    this.leave();
    // It may have died just as it was to wake somebody.
    this.#lock.wakeAll();
  }

  /** Not as they are declared: the set has arrived by then, and that could not be undone. */
  override expect(
    set: ResolvedSet,
    heldCount: number,
    scope: LocalScope,
    label: string | undefined,
  ): void {
    this.#makeRoomFor(set, scope, label, heldCount);
  }

  override enqueue(
    set: ResolvedSet,
    bits: number,
    scope: LocalScope,
    label: string | undefined,
  ): number {
    this.#makeRoomFor(set, scope, label);
    return super.enqueue(set, bits, scope, label);
  }

  override steal(set: ResolvedSet, scope: LocalScope, label: string | undefined): number {
    this.#makeRoomFor(set, scope, label);
    return super.steal(set, scope, label);
  }

  override observe(set: ResolvedSet, scope: LocalScope): number {
    this.#makeRoomFor(set, scope, undefined);
    return super.observe(set, scope);
  }

  override close(died = false): void {
    if (this.#isClosed) return;
    const joining = this.#joining;
    if (joining !== undefined && joining === this.#lock) {
      const reason = new DomainClosedError('the domain was closed before it was ready');
      this.#giveUpJoining(joining, reason);
      return;
    }
    super.close(died);
    this.#end();
    closedBeforeExit(this);
    // What waits for the next ring is to end.
    ring(this.control, this.agent);
    vacate(this.control, this.agent);
  }

  whenClosed(tell: () => void): void {
    if (this.#isClosed) tell();
    else this.#whenClosed.push(tell);
  }

  /** From now on it notices new agents and the end of their threads, where these are silent. */
  supervise(): void {
    noteSupervisor(this);
    this.#supervisor ??= new Supervisor(this);
    this.#listener.listen();
  }

  /** Something about an agent has changed that its neighbours may want to know of. */
  ringAll(): void {
    for (const agent of agentsIn(this.control, C.LIVE)) this.#ring(agent);
  }

  /** Rings for an agent as this operation ends. */
  ringAfter(agent: number): void {
    this.#rung.push(agent);
  }

  tag(object: HostRequest | HostGrant): void {
    this.#objects.set(object.set, object);
    if (!(object instanceof HostGrant)) this.#countWaiting(1);
    if (this.#depth === 0) this.#listener.listen();
  }

  ownSets(): readonly number[] {
    return this.core.sets().filter((set) => this.agentOf(set) === this.agent);
  }

  agentOf(set: number): number {
    return agentOf(this.memory.words, this.core.tag(set));
  }

  protected untag(set: number): HostRequest | HostGrant | undefined {
    const object = this.#objects.get(set);
    if (object === undefined) return undefined;
    this.#objects.delete(set);
    if (!(object instanceof HostGrant)) this.#countWaiting(-1);
    return object;
  }

  protected objects(): readonly (HostRequest | HostGrant)[] {
    return [...this.#objects.values()];
  }

  protected eventDomain(): EventDomain {
    return { backend: 'threads', name: `arena ${idOf(this.control)}`, label: this.label };
  }

  protected wordFor(scope: LocalScope, label: string | undefined): number {
    return writeLabels(this.memory.words, this.agent, label, scope.label);
  }

  protected forgetWord(set: number): void {
    freeLabels(this.memory.words, this.core.tag(set));
  }

  protected override hearGranted(set: number): void {
    if (!this.#postToOwner(set)) {
      super.hearGranted(set);
    } else if (this.#isBlockedFor(set)) {
      this.core.setNote(set, this.clock.now());
      this.#toBlocked.push(set);
    }
  }

  protected override hearLost(set: number): void {
    if (!this.#postToOwner(set)) super.hearLost(set);
  }

  /** The lock is ours, and what a dead one was about is to be undone. */
  #prepare(): void {
    const { memory } = this;
    this.#askedAgainMs = 0;
    if (memory.isStale) memory.refresh();
    // Whoever made it larger did not get to this.
    if (memory.words[L.JOURNAL_STAMPS] !== memory.end) layJournal(memory.words, memory.end);
    if (isOpen(memory.words)) rollBack(memory.words);
    begin(memory.words);
    while (this.#dead.length > 0) this.#buryNow(this.#dead.pop() as number);
    this.bell.look();
    // Not the bell is asked: it is rung a little later than news is there.
    if (hasNews(memory.words, this.agent)) {
      this.#takeInbox();
      // What has been told stays so, whatever becomes of the operation that comes now.
      this.#renew();
    }
    this.resources.follow();
    if (this.#owed.length > 0) {
      const owed = this.#owed;
      this.#owed = [];
      for (const task of owed) task();
      this.#renew();
    }
  }

  async #join(): Promise<void> {
    const lock = this.#lock;
    const joining = new Joining();
    this.#joining = joining;
    this.#lock = joining;
    const failure = await join(this);
    if (this.#isClosed) return;
    if (failure !== undefined) {
      this.#giveUpJoining(joining, failure);
    } else {
      this.#lock = lock;
      joining.admit();
    }
  }

  /** It has nothing, and its place may be another's. */
  #giveUpJoining(joining: Joining, reason: Error): void {
    joining.fail(reason);
    this.#end();
    withdraw(this.control, this.agent, this.generation);
  }

  #end(): void {
    this.#isClosed = true;
    this.#listener.close();
    for (const tell of this.#whenClosed) tell();
  }

  /** The first one in an arena sees to it that it is in order: later on others rely on that. */
  #settleIn(): void {
    const { control, agent } = this;
    try {
      this.enter();
    } catch (error) {
      throw error instanceof KdsError ? error : damaged(String(error));
    }
    const others = [...agentsIn(control, C.LIVE), ...agentsIn(control, C.DEAD)];
    const isAlone = others.every((other) => other === agent);
    const fault = isAlone ? findFaults(this.memory)[0] : undefined;
    if (fault !== undefined) throw this.undo(damaged(fault));
    this.leave();
  }

  #renew(): void {
    commit(this.memory.words);
    begin(this.memory.words);
  }

  #takeInbox(): void {
    const { words } = this.memory;
    for (;;) {
      const set = fetch(words, this.agent);
      if (set === 0) return;
      const isHeard = set === this.#heard;
      if (isHeard) this.#heard = 0;
      if ((words[set | L.FLAGS] & L.SET_LOST) !== 0) super.hearLost(set);
      else if (!isHeard) super.hearGranted(set);
    }
  }

  #isBlockedFor(set: number): boolean {
    return this.control[C.wordsOfAgent(this.agentOf(set)) + C.BLOCKED_SET] === set;
  }

  /**
   * What has been granted stays so from now on. Who is told too late, or never, because this thread
   * ends here, finds it in his inbox.
   */
  #tellBlocked(): void {
    for (const set of this.#toBlocked) {
      Atomics.store(this.control, C.wordsOfAgent(this.agentOf(set)) + C.GRANTED_SET, set);
    }
    this.#toBlocked = [];
  }

  /** If it is another's, puts it in his inbox. */
  #postToOwner(set: number): boolean {
    const owner = this.agentOf(set);
    if (owner === this.agent) return false;
    post(this.memory.words, owner, set);
    if (!this.#rung.includes(owner)) this.#rung.push(owner);
    return true;
  }

  /** For a set that arrives, and what is to be declared for it. */
  #makeRoomFor(
    set: ResolvedSet,
    scope: LocalScope,
    label: string | undefined,
    edgeCount = 0,
  ): void {
    this.makeRoom(1 + set.count + slotsOfLabels(label, scope.label) + edgeCount, set);
  }

  #buryNow(agent: number): void {
    // Another one may have been quicker; the place may even have been given to a new agent.
    if (stateOf(this.control, agent) !== C.DEAD) return;
    this.#endSetsOf(agent);
    this.takeNews();
    this.#renew();
    // Only now: who dies before has not buried it.
    vacateDead(this.control, agent);
    this.#rung = [...agentsIn(this.control, C.LIVE)];
  }

  /** At one moment: what waited for several of them is granted in one arrival order (I6). */
  #endSetsOf(agent: number): void {
    const { core } = this;
    emptyInbox(this.memory.words, agent);
    const sets = core.allSets().filter((set) => this.agentOf(set) === agent);
    for (const set of sets) {
      if (eventFlags.hasSubscribers) this.#noteDied(set);
      this.forgetWord(set);
    }
    core.removeAll(sets, true);
  }

  #noteDied(set: number): void {
    if (this.core.isGranted(set)) this.events.lost(set, this.core.token(set), 'died');
    else this.events.missed(set, 'lost');
  }

  #letGo(): void {
    this.#lock.letGo();
    const rung = this.#rung;
    if (rung.length > 0) {
      this.#rung = [];
      for (const agent of rung) this.#ring(agent);
    }
    if (this.#objects.size > 0) this.#listener.listen();
    this.delivery.runDirect();
  }

  /** The lock is another's, who may have died; this event loop may be about to hear of that. */
  #later(error: unknown, task: () => void): void {
    if (!(error instanceof UnavailableError)) throw error;
    unref(setRealTimeout(task, laterMs));
  }

  #payLater(error: unknown): void {
    if (this.#isPayDue) return;
    this.#isPayDue = true;
    this.#later(error, () => {
      this.#isPayDue = false;
      if (this.#owed.length === 0 || this.#isClosed) return;
      try {
        this.enter();
      } catch (again) {
        this.#payLater(again);
        return;
      }
      this.leave();
    });
  }

  #ring(agent: number): void {
    if (ring(this.control, agent)) this.#listener.send(agent);
  }

  #countWaiting(change: 1 | -1): void {
    this.#waitingCount += change;
    if (this.#waitingCount === (change === 1 ? 1 : 0)) {
      this.#listener.keepsAlive = this.#waitingCount > 0;
    }
  }
}
