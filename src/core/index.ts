export { findFaults } from './check.ts';
export { Core, PASS_LOCKED, type Refs, SYNC } from './core.ts';
export { Memory, type MemorySize } from './memory.ts';
