export { createDomain, type DomainOptions } from './domain.ts';
export type { HoldWarning } from './hold-watchdog.ts';
