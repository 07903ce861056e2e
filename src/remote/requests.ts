/** Performs the requests of a remote domain's sessions: each is given to the backend. */

import type { Capability } from '../api/domain.ts';
import { eventFlags } from '../api/events.ts';
import type { Waiter } from '../api/grant.ts';
import { takesAll } from '../api/mode.ts';
import type { RequestOptions } from '../api/options.ts';
import { closedWhileWaiting, lacksUnits, stealsShared } from '../api/refusals.ts';
import type { ResourceRef } from '../api/sets.ts';
import type { Snapshot } from '../api/snapshot.ts';
import type { Capacity, ReadCapacity } from '../api/units.ts';
import {
  CallbackReport,
  type CallbackTerms,
  CallbackTermsReader,
} from '../session/callback-report.ts';
import type { RequestPort } from '../session/request-port.ts';
import { PromiseReport, type RequestReport } from '../session/request-report.ts';
import { noneHeld, noTerms } from '../session/request-terms.ts';
import type { LeftBehind, RemoteBackend } from './backend.ts';
import { requestEvents } from './events.ts';
import { RemoteGrant } from './grant.ts';
import { RemoteRequest, type RequestTerms } from './request.ts';
import type { RemoteResources, RemoteSet } from './resources.ts';
import type { Identified, RemoteScope } from './scope.ts';

export class RemoteRequests<S extends Snapshot>
  implements RequestPort<RemoteGrant, RemoteSet, RemoteScope, S>
{
  readonly capabilities: ReadonlySet<Capability>;
  readonly resources: RemoteResources;
  readonly callbacks: CallbackTermsReader;
  readonly heldContext = undefined;
  readonly #backend: RemoteBackend<S>;
  readonly #closed = new WeakMap<RemoteScope, Promise<void>>();

  constructor(backend: RemoteBackend<S>) {
    this.#backend = backend;
    this.capabilities = backend.capabilities;
    this.resources = backend.resources;
    this.callbacks = new CallbackTermsReader(backend.delivery);
  }

  isOwn(grant: unknown): grant is RemoteGrant {
    return RemoteGrant.isGrant(grant) && grant.scope.backend === this.#backend;
  }

  acquire(
    scope: RemoteScope,
    set: RemoteSet,
    terms: RequestOptions,
    held: readonly RemoteGrant[],
  ): Promise<RemoteGrant> {
    return new Promise((resolve, reject) => {
      const report = new PromiseReport<RemoteGrant>(resolve, reject);
      this.#backend.start(this.#request(scope, 'acquire', set, terms, held, report));
    });
  }

  tryAcquire(
    scope: RemoteScope,
    set: RemoteSet,
    label: string | undefined,
  ): Promise<RemoteGrant | null> {
    return new Promise((resolve, reject) => {
      const report = new PromiseReport<RemoteGrant>((grant) => resolve(grant ?? null), reject);
      const terms = { ...noTerms, label };
      this.#backend.start(this.#request(scope, 'try', set, terms, noneHeld, report));
    });
  }

  enqueue(
    scope: RemoteScope,
    set: RemoteSet,
    terms: RequestOptions,
    held: readonly RemoteGrant[],
    callback: CallbackTerms,
    onGrant: (grant: RemoteGrant) => void,
  ): Waiter {
    const report = new CallbackReport(callback, onGrant);
    const request = this.#request(scope, 'acquire', set, terms, held, report);
    report.startWaiting();
    this.#backend.start(request);
    return { cancel: () => this.#cancel(request) || report.cancelDue() };
  }

  settled(
    scope: RemoteScope,
    set: RemoteSet,
    { signal, timeoutMs }: RequestOptions,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const report = new PromiseReport<RemoteGrant>(() => resolve(), reject);
      const terms = { ...noTerms, signal, timeoutMs };
      this.#backend.start(this.#request(scope, 'settled', set, terms, noneHeld, report));
    });
  }

  /** Of all clients of the domain. */
  query(): Promise<S> {
    return this.#backend.query();
  }

  async setCapacity(scope: RemoteScope, ref: ResourceRef, capacity: ReadCapacity): Promise<void> {
    scope.checkOpen();
    await this.#backend.setCapacity(this.resources.refOf(ref), capacity);
  }

  async capacity(ref: ResourceRef): Promise<Capacity | undefined> {
    return this.#backend.capacityOf(this.resources.refOf(ref));
  }

  close(scope: RemoteScope): Promise<void> {
    const before = this.#closed.get(scope);
    if (before !== undefined) return before;
    const closed = this.#close(scope);
    this.#closed.set(scope, closed);
    return closed;
  }

  #request(
    scope: RemoteScope,
    how: RequestTerms['how'],
    set: RemoteSet,
    { label, locked, steal, signal, timeoutMs }: RequestOptions,
    holding: readonly RemoteGrant[],
    report: RequestReport<RemoteGrant>,
  ): RemoteRequest {
    scope.checkOpen();
    if (!this.#backend.hasUnits && set.some(({ of }) => of !== undefined)) {
      throw lacksUnits(this.#backend.eventDomain.backend);
    }
    if (steal === true && !set.every(({ units }) => takesAll(units))) throw stealsShared();
    const limitMs = timeoutMs === Number.POSITIVE_INFINITY ? undefined : timeoutMs;
    const terms = { how, set, label, locked, steal, holding, timeoutMs: limitMs, signal };
    return new RemoteRequest(this.#backend.nextId(), scope, terms, report);
  }

  #cancel(request: RemoteRequest): boolean {
    if (!this.#backend.cancel(request)) return false;
    if (eventFlags.hasSubscribers) requestEvents(request)?.ended('cancelled');
    return true;
  }

  async #close(scope: RemoteScope): Promise<void> {
    await this.#backend.end(scope, leftBehind(scope.close()), closedWhileWaiting());
  }
}

function leftBehind(owned: readonly Identified[]): LeftBehind {
  const requests = owned.filter((each) => each instanceof RemoteRequest);
  const grants = owned.filter((each) => each instanceof RemoteGrant);
  return {
    requests: requests.sort((one, other) => one.id - other.id),
    grants: grants.sort((one, other) => one.id - other.id),
  };
}
