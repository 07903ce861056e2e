/**
 * kds/threads: one domain for the threads of a process, in an arena of shared memory, with waits
 * that block (docs/threads.md).
 */

export { type Arena, type ArenaOptions, createArena } from './arena.ts';
export type { AttachableWorker } from './death.ts';
export { openThreadsDomain, type ThreadsDomain } from './domain.ts';
