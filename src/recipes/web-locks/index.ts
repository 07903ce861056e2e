/** kds/web-locks: the Web Locks API on any domain (docs/web-locks.md). */

export { grantOf, Lock } from './lock.ts';
export {
  type LockGrantedCallback,
  type LockInfo,
  LockManager,
  type LockManagerOptions,
  type LockManagerSnapshot,
  type LockSetGrantedCallback,
} from './lock-manager.ts';
export type { LockMode, LockOptions } from './web-idl.ts';
