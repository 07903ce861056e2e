export { findFaults } from './check.ts';
export {
  Core,
  GRANTED,
  NOT_HELD,
  PASS_LOCKED,
  RELEASED_WITH_NEWS,
  type Refs,
  SYNC,
  UNUSUAL,
} from './core.ts';
export { begin, commit, endOfSlots, isOpen, layJournal, rollBack, save } from './journal.ts';
export { Memory, type MemorySize } from './memory.ts';
