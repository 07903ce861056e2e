export { findFaults } from './check.ts';
export { claimNumbers, restoreCapacity } from './claim-numbers.ts';
export {
  Core,
  GRANTED,
  HAS_DETAILS,
  PASS_LOCKED,
  SYNC,
} from './core.ts';
export { enqueueFree, removeAlone } from './free-sets.ts';
export { applyIntent, dropIntent, intentMin, recordArrival, recordEnd } from './intent.ts';
export { begin, commit, endOfSlots, isOpen, layJournal, rollBack } from './journal.ts';
export { ALL } from './layout.ts';
export { type Intents, Memory, type MemorySize } from './memory.ts';
export { type NumberRange, numbersIn } from './numbers.ts';
