/** The scope of a local session: what its grants and waiting requests know of it. */

import type { SessionScope } from '../session/session-tree.ts';
import type { HostGrant } from './grant.ts';
import type { Host } from './host.ts';
import type { HostRequest } from './request.ts';

export type LocalScope = SessionScope<Host, HostRequest | HostGrant>;
