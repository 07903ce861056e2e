/**
 * The first words of an arena, outside of what core works on: which agents there are, and how to
 * wake them.
 *
 * These are reached by Atomics and without the arena's lock, and no operation that is undone takes
 * them back. An agent is one open domain; its words fill a cache line.
 */

export const MAGIC = 0;
export const VERSION = 1;
/** How many words core and its journal have, of those there may be. Grows, under the lock. */
export const WORD_COUNT = 2;
export const WORD_COUNT_MAX = 3;
export const AGENT_COUNT_MAX = 4;
/** What names are hashed with. */
export const SEED = 5;
/** A double: times in the arena are ms since this one, which is as Date.now(). */
export const EPOCH = 6;
/** Two words, at random, in the names of channels and signs of life. */
export const ID = 8;
/** See lock.ts. In a cache line of its own. */
export const LOCK = 16;

const agentsStart = 32;
const agentWords = 16;

/**
 * Of an agent: FREE, LIVE, DEAD until it has been reaped, or JOINING until its thread
 * shows that it lives, in the lowest bits. An agent that is JOINING has never had the arena's lock,
 * and no sets. Above them, its generation: how many agents have had this entry. They change as
 * one, so that a new agent is not taken for a dead agent before it. An entry that is FREE may be
 * claimed already, see THREAD.
 */
export const STATE = 0;
export const FREE = 0;
export const LIVE = 1;
export const DEAD = 2;
export const JOINING = 3;
export const STATE_BITS = 3;
/** The doorbell: grows when there are notices for the agent, which waits on this word. */
export const DOORBELL = 2;
/** How the agent is notified, besides by its doorbell: see the values. */
export const SLEEP = 3;
export const AWAKE = 0;
/** Waits on the doorbell, blocked or asynchronously: it must be notified. */
export const ON_DOORBELL = 1;
/** Cannot wait on the doorbell: it must be sent a message. */
export const ON_CHANNEL = 2;
/** The set that its thread is blocked for, without a time limit if BLOCKED_FOR_EVER is 1. */
export const BLOCKED_SET = 4;
export const BLOCKED_FOR_EVER = 5;
/** 1: what it is blocked for is to end without a grant. */
export const INTERRUPTED = 6;
/** The generation whose thread holds its sign of life, see signs.ts; or 0. */
export const SIGN = 7;
/**
 * The thread it lives in: the runtime's number and the system's, 0 if not known. The two change as
 * one, and that claims the entry: from both 0, and back to both 0 when all else of the entry is
 * free again. So it is always known which thread has an entry, and whether that thread has ended.
 */
export const THREAD = 8;
export const SYSTEM_THREAD = 9;
/** The set that its thread is blocked for, once that is granted: so it need not take the lock. */
export const GRANTED_SET = 10;
/** The generation that supervises other threads whose end is silent; or 0. */
export const SUPERVISES = 11;

export const agentCountMaxDefault = 64;
/** Owners fit the lock word. */
export const agentCountLimit = 1024;

export function controlWordsFor(agentCountMax: number): number {
  return agentsStart + agentCountMax * agentWords;
}

/** Index of an agent's words. */
export function wordsOfAgent(agent: number): number {
  return agentsStart + agent * agentWords;
}
