/**
 * The way from a domain to whoever keeps its state: a server, or an engine that machines share.
 *
 * What a host says and hears is its own affair. This much is the same for all of them: a request is
 * asked for once, and ends once, by a grant or a refusal (I7); what is no longer wanted is
 * cancelled, and given back should it have been granted meanwhile; what is done to a grant cannot
 * fail, as the client keeps exactly what it holds.
 */

import type { Capability } from '../api/domain.ts';
import type { EventDomain } from '../api/events.ts';
import type { RequestKey } from '../api/outer-grants.ts';
import type { Snapshot } from '../api/snapshot.ts';
import { AbortListeners } from '../runtime/abort-listeners.ts';
import { Delivery } from '../runtime/delivery.ts';
import { type Granted, RemoteGrant } from './grant.ts';
import type { RemoteRequest } from './request.ts';
import { type RemoteRef, RemoteResources } from './resources.ts';
import type { RemoteSession } from './session.ts';

export abstract class RemoteLink<S extends Snapshot = Snapshot> {
  abstract readonly capabilities: ReadonlySet<Capability>;
  /** What those are told who watch. */
  readonly eventDomain: EventDomain = { backend: 'remote', name: 'remote', label: undefined };
  /** Of those told by way of it: a host runs the direct ones when it has heard something. */
  readonly delivery = new Delivery();
  readonly resources = new RemoteResources((resource) => this.closeResource(resource));
  readonly signals = new AbortListeners<RemoteRequest>((waiting, reason) => {
    const requests = [...waiting].sort((a, b) => a.id - b.id);
    this.cancel(requests);
    for (const request of requests) request.refuse(reason);
  });
  #idLast = 0;

  /** For requests, sessions, and whatever else is to be told apart: it grows. */
  nextId(): number {
    this.#idLast++;
    return this.#idLast;
  }

  /**
   * Asks for what a request wants, until its `granted`, `settled`, `denied` or `refuse` is called.
   * It has a limit of its own only in `timeoutMs`, which is the host's to keep, as it can tell who
   * is in the way.
   */
  abstract ask(request: RemoteRequest): void;

  /** A request waits no more, for whatever reason. */
  abstract ended(request: RemoteRequest): void;

  /** These are not wanted any more; whatever they may have been granted is to be given back. */
  abstract cancel(requests: readonly RemoteRequest[]): void;

  /** The grant of a request that has come to one: a host may have more to tell of its grants. */
  createGrant(request: RemoteRequest, granted: Granted): RemoteGrant {
    return new RemoteGrant(request, granted);
  }

  /**
   * Loses the grants of a lease that is over by this client's own clock, before anything else is
   * done with them: the timer that does it otherwise is late where the event loop was blocked.
   * Backends without a lease have nothing to check.
   */
  checkLease(): void {}

  /** What other clients of the domain find a grant by, if they do. */
  keyOf(_: RemoteGrant): RequestKey | undefined {
    return undefined;
  }

  /** Somebody holds a grant, from now on. */
  abstract held(grant: RemoteGrant): void;

  /** Nobody does any more: it was let go of, which follows, or lost. */
  abstract over(grant: RemoteGrant): void;

  /** Of all, or of a part; what is left is in `grant.set`. A promise never rejects. */
  abstract release(grant: RemoteGrant, part?: readonly RemoteRef[]): void | Promise<void>;
  abstract downgrade(grant: RemoteGrant, part?: readonly RemoteRef[]): void | Promise<void>;
  abstract abandon(grant: RemoteGrant): void | Promise<void>;

  abstract query(): Promise<S>;

  /**
   * What went through a session, those within it included, is to be released and cancelled. All of
   * it is over on this side already. Resolves when that is so on the other side, or it cannot be.
   */
  abstract endSession(session: RemoteSession<S>, left: LeftBehind): Promise<void>;

  /** The same for all that there is; nothing is asked of the link any more. */
  abstract close(left: LeftBehind): Promise<void>;

  /** Rejects with ResourceBusyError if a resource is held or waited for. */
  protected abstract closeResource(resource: RemoteRef): Promise<void>;
}

/** What lived when a session ended, in the order in which it came. */
export interface LeftBehind {
  readonly requests: readonly RemoteRequest[];
  readonly grants: readonly RemoteGrant[];
}
