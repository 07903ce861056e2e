/** How an agent comes to be in an arena, notices the end of others there, and closes. */

import { DomainClosedError, KdsError } from '../../api/errors.ts';
import { findFaults } from '../../core/index.ts';
import type { Operations } from '../../local/operations.ts';
import type { Agent } from './agent.ts';
import { agentsIn, deregister, withdraw } from './agents.ts';
import { damaged } from './arena.ts';
import { DEAD, LIVE } from './control.ts';
import { closeAtExit, closedBeforeExit, Supervisor } from './death.ts';
import { notifyAgent } from './doorbell.ts';
import type { Doorbells } from './doorbells.ts';
import { Joining, join } from './joining.ts';
import { afterPause } from './retries.ts';
import type { Section } from './section.ts';
import { showLife, storeSupervisor } from './signs.ts';

/** The parts of a backend that its membership works with. */
interface MembershipSource {
  readonly agent: Agent;
  readonly doorbells: Doorbells;
  readonly operations: Operations;
  readonly section: Section;
}

export class Membership {
  readonly #source: MembershipSource;
  #joining: Joining | undefined = undefined;
  #supervisor: Supervisor | undefined = undefined;

  constructor(source: MembershipSource) {
    this.#source = source;
  }

  /** Resolves when operations can begin. */
  get ready(): Promise<void> {
    return this.#joining?.ready ?? Promise.resolve();
  }

  /** Resolves when it has joined, or never will; undefined if it need not join. */
  get joined(): Promise<void> | undefined {
    return this.#joining?.over;
  }

  /** The agent is LIVE from the beginning. @throws KdsError */
  initialise(): void {
    const { agent, doorbells } = this.#source;
    try {
      this.#checkArena();
    } catch (error) {
      deregister(agent.control, agent.number);
      throw error;
    }
    closeAtExit(this);
    void showLife(agent, doorbells);
  }

  /** The agent is JOINING: until its thread holds its sign of life, no operation can begin. */
  async join(): Promise<void> {
    const { agent, doorbells, section } = this.#source;
    const { lock } = section;
    const joining = new Joining();
    this.#joining = joining;
    section.lock = joining;
    const failure = await join(agent, doorbells);
    if (agent.isClosed) return;
    if (failure !== undefined) {
      this.#giveUpJoining(joining, failure);
    } else {
      section.lock = lock;
      joining.admit();
    }
  }

  /** The doorbell has grown: takes the notices in the inbox. */
  onNotified(): void {
    const { agent, doorbells, operations } = this.#source;
    if (agent.isClosed) return;
    try {
      operations.begin();
    } catch (error) {
      // The end of a thread that has died with the lock is noticed by this.
      this.#supervisor?.requestSigns();
      afterPause(error, () => this.onNotified());
      return;
    }
    operations.commit();
    if (this.#supervisor === undefined) return;
    this.#supervisor.requestSigns();
    doorbells.listen();
  }

  /** From now on it notices new agents and the end of their threads, where these are silent. */
  supervise(): void {
    const { agent, doorbells, section } = this.#source;
    storeSupervisor(agent);
    this.#supervisor ??= new Supervisor(agent, section);
    doorbells.listen();
  }

  /** Ends all that was requested here; `died`: as left by a dead holder. */
  close(died = false): void {
    const { agent, operations, section } = this.#source;
    const { control, number } = agent;
    if (agent.isClosed) return;
    const joining = this.#joining;
    if (joining !== undefined && joining === section.lock) {
      const reason = new DomainClosedError('the domain was closed before it was ready');
      this.#giveUpJoining(joining, reason);
      return;
    }
    operations.endings.endDomain(died);
    agent.close();
    closedBeforeExit(this);
    // The wait of its own event loop is to end.
    notifyAgent(control, number);
    deregister(control, number);
  }

  /** It has no sets, and its entry may belong to another agent. */
  #giveUpJoining(joining: Joining, reason: Error): void {
    const { agent } = this.#source;
    joining.fail(reason);
    agent.close();
    withdraw(agent.control, agent.number, agent.generation);
  }

  /** The first one in an arena sees to it that it is in order: later on others rely on that. */
  #checkArena(): void {
    const { agent, operations } = this.#source;
    const { control, number } = agent;
    try {
      operations.begin();
    } catch (error) {
      throw error instanceof KdsError ? error : damaged(String(error));
    }
    const others = [...agentsIn(control, LIVE), ...agentsIn(control, DEAD)];
    const isAlone = others.every((other) => other === number);
    const fault = isAlone ? findFaults(operations.core.memory)[0] : undefined;
    if (fault !== undefined) throw operations.abort(damaged(fault));
    operations.commit();
  }
}
