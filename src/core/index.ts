export { findFaults } from './check.ts';
export { claimNumbers, restoreCapacity } from './claim-numbers.ts';
export {
  Core,
  GRANTED,
  HAS_DETAILS,
  PASS_LOCKED,
  SYNC,
} from './core.ts';
export { begin, commit, endOfSlots, isOpen, layJournal, rollBack } from './journal.ts';
export { ALL } from './layout.ts';
export { Memory, type MemorySize } from './memory.ts';
export { type NumberRange, numbersIn } from './numbers.ts';
