/**
 * kds/etcd: one domain for all clients of an etcd cluster (docs/etcd.md).
 *
 * Each client reads the log of a prefix by a watch, and derives the same state from it.
 */

export { type EtcdCluster, type EtcdDomain, type EtcdOptions, openEtcdDomain } from './domain.ts';
export type { EtcdCondition, EtcdGrant } from './grant.ts';
export type { EtcdTls } from './http-member.ts';
export type { EtcdClientInfo, EtcdSnapshot, EtcdSnapshotEntry } from './snapshot.ts';
