/** Agents: the domains that are open in an arena, each with an entry in the table of control.ts. */

import { LimitError } from '../../api/errors.ts';
import * as L from '../../core/layout.ts';
import * as C from './control.ts';
import { hasGoneThread } from './liveness.ts';
import { thread } from './thread.ts';

const stateMask = (1 << C.STATE_BITS) - 1;

/**
 * Takes a free entry for an agent of the calling thread, LIVE or JOINING. A thread that ends before
 * the agent has a state has left a claim with its own numbers: {@link dropClaims} takes it back.
 *
 * @throws LimitError if no entry is free.
 */
export function register(control: Int32Array, state: number = C.LIVE): number {
  const agent = claimEntry(control);
  const at = C.wordsOfAgent(agent);
  control[at + C.SLEEP] = C.AWAKE;
  control[at + C.BLOCKED_SET] = L.NOBODY;
  control[at + C.INTERRUPTED] = 0;
  control[at + C.SIGN] = 0;
  control[at + C.SUPERVISES] = 0;
  const generation = generationOf(control, agent) + 1;
  Atomics.store(control, at + C.STATE, (generation << C.STATE_BITS) | state);
  return agent;
}

/**
 * An agent of this generation that is JOINING is LIVE from now on, or FREE. False if it is not
 * JOINING any more: its entry may belong to another agent.
 */
export function endJoining(
  control: Int32Array,
  agent: number,
  generation: number,
  state: number,
): boolean {
  const joining = (generation << C.STATE_BITS) | C.JOINING;
  const next = (generation << C.STATE_BITS) | state;
  const at = C.wordsOfAgent(agent) + C.STATE;
  return Atomics.compareExchange(control, at, joining, next) === joining;
}

/** Frees the entry of an agent that is JOINING, unless another agent has taken it meanwhile. */
export function withdraw(control: Int32Array, agent: number, generation: number): void {
  if (!endJoining(control, agent, generation, C.FREE)) return;
  Atomics.store(claims(control), claimOf(agent), unclaimed);
}

/** Frees the entry of an agent that has no sets. */
export function deregister(control: Int32Array, agent: number): void {
  setState(control, agent, C.FREE);
  // Last: an entry that can be claimed is FREE.
  Atomics.store(claims(control), claimOf(agent), unclaimed);
}

/**
 * Frees the entry of a dead agent whose sets have ended. Under the lock, so by one thread only.
 */
export function deregisterDead(control: Int32Array, agent: number): void {
  // A thread that ends between the two steps of `deregister` is found by its own claim.
  Atomics.store(claims(control), claimOf(agent), claimOfThread());
  deregister(control, agent);
}

/** Takes back the claims of threads that ended while they claimed an entry, or freed it. */
export function dropClaims(
  control: Int32Array,
  hasEnded: (control: Int32Array, at: number) => boolean,
): void {
  for (const agent of agentsIn(control, C.FREE)) {
    const claim = Atomics.load(claims(control), claimOf(agent));
    const isLeft = claim !== unclaimed && hasEnded(control, C.wordsOfAgent(agent));
    // If it is still that claim then no other thread has come, and the entry is still FREE.
    if (isLeft) Atomics.compareExchange(claims(control), claimOf(agent), claim, unclaimed);
  }
}

function claimEntry(control: Int32Array): number {
  const mine = claimOfThread();
  const agentCountMax = control[C.AGENT_COUNT_MAX] as number;
  for (const turn of ['at once', 'after a check']) {
    // Elsewhere the end of a thread is reported, and then its claim is dropped.
    if (turn === 'after a check') dropClaims(control, hasGoneThread);
    for (let agent = 0; agent < agentCountMax; agent++) {
      const at = claimOf(agent);
      if (Atomics.load(claims(control), at) !== unclaimed) continue;
      const found = Atomics.compareExchange(claims(control), at, unclaimed, mine);
      if (found === unclaimed) return agent;
    }
  }
  const agent = takeJoining(control, mine);
  if (agent !== undefined) return agent;
  throw new LimitError(
    `${agentCountMax} domains are open in this arena, and no more may be: ` +
      'close some, or make it with a larger agentsMax',
  );
}

/**
 * Takes the entry of an agent that is JOINING and has no sets. Its thread may have ended, which no
 * other thread can know; if it lives, it finds that its entry is gone.
 */
function takeJoining(control: Int32Array, mine: bigint): number | undefined {
  for (const agent of agentsIn(control, C.JOINING)) {
    const claim = Atomics.load(claims(control), claimOf(agent));
    if (!endJoining(control, agent, generationOf(control, agent), C.FREE)) continue;
    const found = Atomics.compareExchange(claims(control), claimOf(agent), claim, mine);
    if (found === claim) return agent;
  }
  return undefined;
}

const unclaimed = 0n;

/** Words in pairs, to change THREAD and SYSTEM_THREAD as one. */
function claims({ buffer, length }: Int32Array): BigInt64Array {
  return new BigInt64Array(buffer, 0, length >> 1);
}

function claimOf(agent: number): number {
  return (C.wordsOfAgent(agent) + C.THREAD) >> 1;
}

function claimOfThread(): bigint {
  return new BigInt64Array(Int32Array.of(thread.id, thread.systemId).buffer)[0] as bigint;
}

/** Changes the state of an agent that nobody else changes now. */
function setState(control: Int32Array, agent: number, state: number): void {
  const at = C.wordsOfAgent(agent) + C.STATE;
  Atomics.store(control, at, (Atomics.load(control, at) & ~stateMask) | state);
}

export function stateOf(control: Int32Array, agent: number): number {
  return Atomics.load(control, C.wordsOfAgent(agent) + C.STATE) & stateMask;
}

/** Number of agents that have had this entry. */
export function generationOf(control: Int32Array, agent: number): number {
  return Atomics.load(control, C.wordsOfAgent(agent) + C.STATE) >>> C.STATE_BITS;
}

/**
 * Sets an agent to DEAD whose thread has ended, as `hasEnded` finds from its words; not another
 * one that has taken its entry meanwhile. Returns whether it is dead now.
 */
export function declareDead(
  control: Int32Array,
  agent: number,
  hasEnded: (control: Int32Array, at: number) => boolean,
): boolean {
  const at = C.wordsOfAgent(agent);
  const before = Atomics.load(control, at + C.STATE);
  const state = before & stateMask;
  const isThere = state === C.LIVE || state === C.JOINING;
  if (!isThere || !hasEnded(control, at)) return state === C.DEAD;
  const dead = (before & ~stateMask) | C.DEAD;
  const found = Atomics.compareExchange(control, at + C.STATE, before, dead);
  return found === before || found === dead;
}

/** The agents that are in this state. */
export function agentsIn(control: Int32Array, state: number): readonly number[] {
  const agents: number[] = [];
  for (let agent = 0; agent < control[C.AGENT_COUNT_MAX]; agent++) {
    if (stateOf(control, agent) === state) agents.push(agent);
  }
  return agents;
}
