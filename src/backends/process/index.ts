export type { DomainOptions, NestedPolicy } from '../../local/domain-options.ts';
export type { HoldWarning } from '../../local/hold-watchdog.ts';
export { createDomain } from './domain.ts';
