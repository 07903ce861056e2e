/**
 * kds/broker: one domain for all processes of a user.
 *
 * A small server on a Unix socket, the broker, keeps the state; it is started by whoever comes
 * first, and goes when nobody is left (docs/broker.md, docs/protocol.md).
 */

export { type BrokerDomain, type BrokerOptions, openBrokerDomain } from './client/domain.ts';
export type { BrokerSnapshot, BrokerSnapshotEntry, ClientInfo } from './wire/messages.ts';
export { defaultSocketPath } from './wire/socket-path.ts';
