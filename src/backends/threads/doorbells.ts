/** The doorbells of an arena, as one agent notifies others and listens to its own. */

import type { Agent } from './agent.ts';
import { agentsIn } from './agents.ts';
import * as C from './control.ts';
import { Doorbell, notifyAgent } from './doorbell.ts';
import { DoorbellListener } from './doorbell-listener.ts';

export class Doorbells {
  readonly own: Doorbell;
  readonly #control: Int32Array;
  readonly #listener: DoorbellListener;
  /** Agents that this operation has notices for. */
  #toNotify: number[] = [];
  /** Sets that it has granted to agents whose threads are blocked for them. */
  #toBlocked: { readonly agent: number; readonly set: number }[] = [];

  constructor(agent: Agent, onNotified: () => void) {
    const { control, number } = agent;
    this.#control = control;
    this.own = new Doorbell(control, number);
    this.#listener = new DoorbellListener(control, number, this.own, onNotified);
    agent.whenClosed(() => this.#listener.close());
  }

  /** From now on, until the next notification. */
  listen(): void {
    this.#listener.listen();
  }

  /** Whether the event loop is to go on, as requests wait. */
  set keepsAlive(isNeeded: boolean) {
    this.#listener.keepsAlive = isNeeded;
  }

  /** Notifies an agent as this operation ends. */
  notifyAfter(agent: number): void {
    if (!this.#toNotify.includes(agent)) this.#toNotify.push(agent);
  }

  notifyAllAfter(): void {
    this.#toNotify = [...agentsIn(this.#control, C.LIVE)];
  }

  /** Reports a grant to a thread that is blocked for it, as this operation ends. */
  grantAfter(agent: number, set: number): void {
    this.#toBlocked.push({ agent, set });
  }

  /** The operation is undone, and so are its grants. */
  forgetGrants(): void {
    this.#toBlocked = [];
  }

  /**
   * Reports the grants, which stand from now on. An agent that is reported to too late, or never,
   * because this thread ends here, finds the grant in its inbox. Locked.
   */
  reportGrants(): void {
    if (this.#toBlocked.length === 0) return;
    for (const { agent, set } of this.#toBlocked) {
      Atomics.store(this.#control, C.wordsOfAgent(agent) + C.GRANTED_SET, set);
    }
    this.#toBlocked = [];
  }

  /** The operation has ended, and the lock is free. */
  notifyDue(): void {
    const agents = this.#toNotify;
    if (agents.length === 0) return;
    this.#toNotify = [];
    for (const agent of agents) this.#notify(agent);
  }

  /** Something about this agent has changed that others may want to see. */
  notifyAll(): void {
    for (const agent of agentsIn(this.#control, C.LIVE)) this.#notify(agent);
  }

  #notify(agent: number): void {
    if (notifyAgent(this.#control, agent)) this.#listener.send(agent);
  }
}
