/** A domain whose state a backend keeps. All sessions of one client share one backend. */

import type { Snapshot } from '../api/snapshot.ts';
import { DomainSession } from '../session/session.ts';
import { SessionScope } from '../session/session-tree.ts';
import type { RemoteBackend } from './backend.ts';
import type { RemoteGrant } from './grant.ts';
import { RemoteRequests } from './requests.ts';
import type { RemoteSet } from './resources.ts';
import type { RemoteScope } from './scope.ts';

export class RemoteSession<S extends Snapshot = Snapshot> extends DomainSession<
  RemoteGrant,
  RemoteSet,
  RemoteScope,
  S
> {
  constructor(backend: RemoteBackend<S>, label?: string) {
    super(new RemoteRequests(backend), SessionScope.ofDomain(backend, label, new Set()));
  }
}
