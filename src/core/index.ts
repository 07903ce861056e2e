export { findFaults } from './check.ts';
export {
  Core,
  GRANTED,
  PASS_LOCKED,
  SYNC,
  UNUSUAL,
} from './core.ts';
export { begin, commit, endOfSlots, isOpen, layJournal, rollBack } from './journal.ts';
export { ALL } from './layout.ts';
export { Memory, type MemorySize } from './memory.ts';
