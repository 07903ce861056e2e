export { type Arena, type ArenaOptions, createArena } from './arena.ts';
export type { AttachableWorker } from './death.ts';
export { openThreadsDomain, type ThreadsDomain } from './domain.ts';
