/**
 * kds/broker: one domain for all processes of a user.
 *
 * A small server on a Unix socket, the broker, keeps the state; it is started on demand by
 * the first client, and exits when no client is left (docs/broker.md, docs/protocol.md).
 */

export { type BrokerDomain, type BrokerOptions, openBrokerDomain } from './client/domain.ts';
export type { BrokerSnapshot, BrokerSnapshotEntry, ClientInfo } from './wire/messages.ts';
export { defaultSocketPath } from './wire/socket-path.ts';
