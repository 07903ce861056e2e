export {
  Callback,
  type CallbackFunction,
  type CallbackOptions,
  type Delivery,
} from './callback.ts';
export type { Capability, Domain, Session, SyncDomain, SyncSession } from './domain.ts';
export * from './errors.ts';
export {
  type CapacityEvent,
  type DomainEvents,
  type EventDomain,
  type EventName,
  eventNames,
  type GrantHeldLongEvent,
  type GrantLostEvent,
  type GrantRecoveredEvent,
  type GrantReleaseEvent,
  type GrantUpgradeEvent,
  type GrantWeakenEvent,
  type RequestEndEvent,
  type RequestGrantEvent,
  type RequestMissEvent,
  type RequestOutcome,
  type RequestStartEvent,
  watchEvents,
} from './events.ts';
export type { Grant, SyncGrant, UnitsLeft, Waiter } from './grant.ts';
export { labelLengthMax, nameLengthMax, setSizeMax } from './limits.ts';
export type {
  AcquireOptions,
  AcquireSyncOptions,
  EnqueueOptions,
  LockedPolicy,
  SettledOptions,
} from './options.ts';
export type { NamedSet, PreparedSet, Resource, ResourceRef, SetSpec } from './sets.ts';
export type { Snapshot, SnapshotCapacity, SnapshotEntry } from './snapshot.ts';
export type { Capacity, CapacitySpec, Unit, UnitCount, UnitsSpec } from './units.ts';
