/**
 * An arena as one of its agents uses it.
 *
 * Core's words are shared, and so are its notices of sets; the objects that stand for an agent's
 * own sets are its own. Each part has one reason: the order of operations (section.ts), the owners
 * of sets (owners.ts, inbox.ts), names (queues.ts), waking (doorbells.ts), joining and leaving
 * (membership.ts).
 */

import type { EventDomain } from '../../api/events.ts';
import type { AcquireSyncOptions } from '../../api/options.ts';
import { Core } from '../../core/index.ts';
import type { LocalGrant } from '../../local/grant.ts';
import { Operations, type Port } from '../../local/operations.ts';
import type { RequestScope } from '../../local/request.ts';
import { Agent } from './agent.ts';
import { ArenaMemory, idOf } from './arena.ts';
import { Blocking } from './blocking.ts';
import { ArenaClock } from './clock.ts';
import { JOINING, LIVE, SEED } from './control.ts';
import { Doorbells } from './doorbells.ts';
import { userDataOf } from './labels.ts';
import { Membership } from './membership.ts';
import { ArenaOwners } from './owners.ts';
import { ArenaQueues } from './queues.ts';
import { ArenaReader } from './reader.ts';
import { ArenaRetries } from './retries.ts';
import { Section } from './section.ts';
import { mustShowLife } from './signs.ts';
import { capabilities } from './thread.ts';
import { UnitNames } from './unit-names.ts';

export class ThreadsBackend implements Port {
  readonly capabilities = capabilities;
  readonly agent: Agent;
  readonly clock: ArenaClock;
  readonly reader: ArenaReader;
  readonly owners: ArenaOwners;
  readonly queues: ArenaQueues;
  readonly retries: ArenaRetries;
  readonly operations: Operations;
  readonly plainUserData: number;
  readonly #label: string | undefined;
  readonly #section: Section;
  readonly #blocking: Blocking;
  readonly #membership: Membership;

  /** @throws LimitError, ProtocolError, UnavailableError */
  constructor(control: Int32Array, label: string | undefined) {
    const isJoining = mustShowLife(control);
    const agent = new Agent(control, isJoining ? JOINING : LIVE);
    const memory = new ArenaMemory(control);
    const core = new Core(memory);
    const clock = new ArenaClock(control);
    const doorbells = new Doorbells(agent, () => this.#membership.onNotified());
    const unitNames = new UnitNames(core);
    const queues = new ArenaQueues(core, memory, control[SEED] as number, unitNames);
    const isWithin = (): boolean => this.#section.isOpen;
    this.#label = label;
    this.agent = agent;
    this.plainUserData = userDataOf(agent.number);
    this.clock = clock;
    this.reader = new ArenaReader(core, clock, unitNames);
    this.queues = queues;
    this.owners = new ArenaOwners({ core, agent, queues, doorbells, clock, isWithin });
    this.retries = new ArenaRetries(agent, this);
    this.operations = new Operations(core, this);
    const { operations, owners, retries } = this;
    const section = new Section(memory, { agent, doorbells, operations, owners, queues, retries });
    this.#section = section;
    this.#blocking = new Blocking({ agent, doorbells, operations, owners, section });
    this.#membership = new Membership({ agent, doorbells, operations, section });
    if (isJoining) void this.#membership.join();
    else this.#membership.initialise();
  }

  eventDomain(): EventDomain {
    const name = `arena ${idOf(this.agent.control)}`;
    return { backend: 'threads', name, label: this.#label };
  }

  begin(): void {
    this.#section.begin();
  }

  beginPlain(): boolean {
    // A label of the domain is written with each of its sets.
    return this.#label === undefined && this.#section.beginPlain();
  }

  commitPlain(): void {
    this.#section.commitPlain();
  }

  commit(): void {
    this.#section.commit();
  }

  commitUncontended(): void {
    this.operations.commit();
  }

  rollBack(): boolean {
    this.#section.rollBack();
    return true;
  }

  block(scope: RequestScope, set: number, options: AcquireSyncOptions): LocalGrant {
    return this.#blocking.wait(scope, set, options);
  }

  close(): void {
    this.#membership.close();
  }

  /** Resolves when operations can begin. */
  get ready(): Promise<void> {
    return this.#membership.ready;
  }

  /** Resolves when the agent has joined, or never will; undefined if it need not join. */
  get joined(): Promise<void> | undefined {
    return this.#membership.joined;
  }

  /** An agent that is blocked goes on, without a grant. False if it is not blocked. */
  interrupt(agent: number): boolean {
    return this.#blocking.interrupt(agent);
  }

  /** Releases what a dead agent had. @throws UnavailableError */
  reap(agent: number): void {
    this.#section.reap(agent);
  }

  /** From now on it notices the end of threads that is silent. */
  supervise(): void {
    this.#membership.supervise();
  }
}
