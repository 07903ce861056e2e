export { type EtcdCluster, type EtcdDomain, type EtcdOptions, openEtcdDomain } from './domain.ts';
export type { EtcdCondition, EtcdGrant } from './grant.ts';
export type { EtcdTls } from './http-member.ts';
export type { EtcdClientInfo, EtcdSnapshot, EtcdSnapshotEntry } from './snapshot.ts';
