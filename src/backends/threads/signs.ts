/**
 * Signs of life. In a browser the end of a thread is silent, so each agent holds a Web Lock for as
 * long as its thread lives. A supervisor (death.ts) requests the same lock: when that is granted,
 * the thread has ended.
 *
 * A thread that ends before its lock is held is not noticed. So an agent that opens while another
 * thread supervises is JOINING until then (joining.ts).
 */

import type { Agent } from './agent.ts';
import { agentsIn, generationOf } from './agents.ts';
import * as C from './control.ts';
import { thread, workerThreads } from './thread.ts';

/** Whether the end of a thread can only be noticed by its sign of life. */
export function needsSigns(): boolean {
  return workerThreads() === undefined && globalThis.navigator?.locks !== undefined;
}

/** Whether the end of this thread is to be noticed by another one, and can only be by a sign. */
export function mustShowLife(control: Int32Array): boolean {
  return needsSigns() && agentsIn(control, C.LIVE).some((agent) => isSupervisor(control, agent));
}

function isSupervisor(control: Int32Array, agent: number): boolean {
  const at = C.wordsOfAgent(agent);
  const isOther = control[at + C.THREAD] !== thread.id;
  return isOther && Atomics.load(control, at + C.SUPERVISES) === generationOf(control, agent);
}

/** From now on agents that open in other threads are JOINING at first. */
export function storeSupervisor({ control, number, generation }: Agent): void {
  storeOnce(control, C.wordsOfAgent(number) + C.SUPERVISES, generation);
}

/**
 * Holds an agent's sign of life until it closes, or its thread ends. Resolves when the lock is held
 * and that is stored; rejects if the browser refuses the lock.
 *
 * Once the request has been sent, the lock is granted even if the thread never comes back to its
 * event loop; only SIGN is then not written.
 */
export function showLife(agent: Agent, doorbells: { notifyAll(): void }): Promise<void> {
  if (!needsSigns()) return Promise.resolve();
  const { control, number, generation } = agent;
  return new Promise((resolve, reject) => {
    const held = async (): Promise<void> => {
      // Its entry may belong to another agent by now.
      if (agent.isClosed) return;
      storeOnce(control, C.wordsOfAgent(number) + C.SIGN, generation);
      // Before the agent is LIVE: from the first set on that it can have, its end is noticed.
      doorbells.notifyAll();
      resolve();
      await new Promise<void>((closed) => agent.whenClosed(closed));
    };
    navigator.locks.request(signOf(control, number, generation), held).catch(reject);
    doorbells.notifyAll();
  });
}

/** If the entry has another agent by now, then that agent writes the word. */
function storeOnce(control: Int32Array, at: number, generation: number): void {
  Atomics.compareExchange(control, at, 0, generation);
}

/** Whether an agent of this generation has stored that its lock is held. */
export function hasSign(control: Int32Array, agent: number, generation: number): boolean {
  return Atomics.load(control, C.wordsOfAgent(agent) + C.SIGN) === generation;
}

/** The name of an agent's lock. */
export function signOf(control: Int32Array, agent: number, generation: number): string {
  return `kds arena ${control[C.ID]} ${control[C.ID + 1]} agent ${agent} ${generation}`;
}
