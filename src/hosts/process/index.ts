export type { DomainOptions } from '../../sync-domain/domain-options.ts';
export type { HoldWarning } from '../../sync-domain/hold-watchdog.ts';
export { createDomain } from './domain.ts';
