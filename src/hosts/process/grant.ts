/** A grant of one event loop. Its set lives in core while `set` is not 0. */

import { DomainClosedError, GrantLostError, InvalidSetError } from '../../domain/errors.ts';
import type { SyncGrant } from '../../domain/grant.ts';
import type { ResourceRef } from '../../domain/sets.ts';
import type { ProcessSession } from './session.ts';

/** What few grants need. */
export interface GrantDetails {
  label?: string;
  recovered?: readonly string[];
  ignored?: readonly string[];
  controller?: AbortController;
  /** Why it was lost. */
  lost?: unknown;
  /** The watchdog has told about it. */
  isReported?: boolean;
}

const none: readonly string[] = Object.freeze([]);

export class ProcessGrant implements SyncGrant {
  readonly token: number;
  /** @internal */
  readonly scope: ProcessSession;
  /** @internal 0 once it has ended. */
  set: number;
  /** @internal On the host's clock. */
  readonly sinceMs: number;
  #details: GrantDetails | undefined = undefined;

  constructor(scope: ProcessSession, set: number, token: number, sinceMs: number) {
    this.scope = scope;
    this.set = set;
    this.token = token;
    this.sinceMs = sinceMs;
  }

  get signal(): AbortSignal {
    const details = this.details();
    if (details.controller === undefined) {
      details.controller = new AbortController();
      if ('lost' in details) details.controller.abort(details.lost);
    }
    return details.controller.signal;
  }

  get recovered(): readonly string[] {
    return this.#details?.recovered ?? none;
  }

  get ignored(): readonly string[] {
    return this.#details?.ignored ?? none;
  }

  /** @internal */
  get label(): string | undefined {
    return this.#details?.label;
  }

  release(part?: ResourceRef | readonly ResourceRef[]): void {
    if (part !== undefined) this.#releasePart(part);
    else if (this.set !== 0) this.scope.host.end(this, false);
  }

  downgrade(part?: ResourceRef | readonly ResourceRef[]): void {
    const { host } = this.scope;
    if (part !== undefined) this.#choose(part);
    else this.#checkLive();
    host.core.downgrade(this.set, part !== undefined);
    host.afterwards();
  }

  abandon(reason?: unknown): void {
    if (this.set === 0) return;
    this.scope.host.end(this, true);
    this.lose(reason ?? new GrantLostError(`grant ${this.token} was abandoned by its holder`));
  }

  [Symbol.dispose](): void {
    this.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
  }

  /** @internal */
  details(): GrantDetails {
    this.#details ??= {};
    return this.#details;
  }

  /** @internal It has ended otherwise than by its holder's release: tells who listens. */
  lose(reason: unknown): void {
    const details = this.details();
    details.lost = reason;
    details.controller?.abort(reason);
  }

  /** @internal Its session or domain ends. */
  close(): void {
    if (this.set === 0) return;
    this.scope.host.end(this, false);
    this.lose(new DomainClosedError(`grant ${this.token} ended as its domain was closed`));
  }

  #releasePart(part: ResourceRef | readonly ResourceRef[]): void {
    const { host } = this.scope;
    this.#choose(part);
    host.core.removeChosen(this.set);
    if (host.core.firstLink(this.set) === 0) host.end(this, false);
    else host.afterwards();
  }

  #choose(part: ResourceRef | readonly ResourceRef[]): void {
    this.#checkLive();
    const { core, resources } = this.scope.host;
    if (resources.resolvePart(part) && core.choose(this.set, resources.queues, resources.count)) {
      return;
    }
    throw new InvalidSetError(
      `grant ${this.token} does not hold all of that part: nothing is done`,
    );
  }

  #checkLive(): void {
    if (this.set !== 0) return;
    const isLost = this.#details !== undefined && 'lost' in this.#details;
    throw new GrantLostError(
      `grant ${this.token} was ${isLost ? 'lost' : 'released'} before: it holds nothing`,
    );
  }
}
