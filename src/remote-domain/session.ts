/**
 * The interface of a domain at the broker. The domain itself is the outermost session; all sessions
 * of one client share one link. What a call throws is known here; the rest is the broker's word.
 */

import { Callback } from '../../domain/callback.ts';
import type { Capability, Session } from '../../domain/domain.ts';
import { DomainClosedError, InvalidSetError } from '../../domain/errors.ts';
import type { Grant, Waiter } from '../../domain/grant.ts';
import {
  type AcquireOptions,
  checkFunction,
  checkIsObject,
  checkLabel,
  checkOptions,
  type EnqueueOptions,
  type SettledOptions,
  throwIfAborted,
} from '../../domain/options.ts';
import { describe, type PreparedSet, type Resource, type SetSpec } from '../../domain/sets.ts';
import { BrokerGrant } from './grant.ts';
import type { Link } from './link.ts';
import { lostError } from './lost-error.ts';
import type { BrokerSnapshot, BrokerSnapshotEntry } from './messages.ts';
import { type AskTerms, BrokerRequest, CallbackRequest, PromiseRequest } from './request.ts';

const capabilities: ReadonlySet<Capability> = new Set<Capability>([
  'settled',
  'downgrade',
  'part-release',
  'steal',
]);
const noOptions: AcquireOptions = Object.freeze({});
const nothingHeld: readonly BrokerGrant[] = Object.freeze([]);

export class BrokerSession implements Session {
  readonly capabilities = capabilities;
  readonly label: string | undefined;
  /** @internal */
  readonly link: Link;
  /** @internal What went through it and lives. */
  readonly tracked = new Set<BrokerRequest | BrokerGrant>();
  readonly #number: number;
  readonly #parent: BrokerSession | undefined;
  readonly #children = new Set<BrokerSession>();
  #isOpen = true;
  #closed: Promise<void> | undefined;

  constructor(link: Link, parent?: BrokerSession, label?: string) {
    this.link = link;
    this.label = label;
    this.#parent = parent;
    this.#number = parent === undefined ? 0 : link.nextId();
  }

  get brokerPid(): number {
    return this.link.brokerPid;
  }

  acquire(set: SetSpec | PreparedSet, options: AcquireOptions = noOptions): Promise<Grant> {
    return this.#promise('acquire', set, options) as Promise<Grant>;
  }

  tryAcquire(set: SetSpec | PreparedSet, options?: { label?: string }): Promise<Grant | null> {
    return this.#promise('try', set, options ?? noOptions);
  }

  async run<R>(
    set: SetSpec | PreparedSet,
    optionsOrFn: AcquireOptions | ((grant: Grant) => R | Promise<R>),
    maybeFn?: (grant: Grant) => R | Promise<R>,
  ): Promise<R> {
    const [options, fn] =
      typeof optionsOrFn === 'function' ? [noOptions, optionsOrFn] : [optionsOrFn, maybeFn];
    if (typeof fn !== 'function') throw new TypeError(`run needs a function, not ${describe(fn)}`);
    const grant = (await this.acquire(set, options)) as BrokerGrant;
    // It may have been taken away since: then it is somebody else's by now.
    if (!grant.isHeld) throw grant.signal.reason;
    try {
      return await fn(grant);
    } finally {
      grant.release();
    }
  }

  enqueue(
    set: SetSpec | PreparedSet,
    onGrant: (grant: Grant) => void,
    options: EnqueueOptions = noOptions,
  ): Waiter {
    checkFunction(onGrant, 'onGrant');
    checkIsObject(options);
    const { onRefused } = options;
    if (onRefused !== undefined) checkFunction(onRefused, 'onRefused');
    const callback = options.delivery instanceof Callback ? options.delivery : undefined;
    const delivery = callback === undefined ? options.delivery : callback.delivery;
    if (delivery !== undefined && delivery !== 'queued' && delivery !== 'direct') {
      throw new TypeError(
        `delivery is 'queued', 'direct' or a Callback, not ${describe(delivery)}`,
      );
    }
    if (callback?.isOpen === false) throw new DomainClosedError('the callback is closed');
    const { ask, holding, timeoutMs, signal } = this.#check('acquire', set, options);
    const request = new CallbackRequest(
      this,
      ask,
      { holding, timeoutMs, signal },
      {
        onGrant: callback === undefined ? onGrant : callback.wrap(onGrant),
        onRefused,
        callback,
        isDirect: delivery === 'direct',
      },
    );
    request.start();
    return request;
  }

  prepare(set: SetSpec): PreparedSet {
    this.#checkOpen();
    return this.link.resources.prepare(set);
  }

  resource(name?: string): Resource {
    this.#checkOpen();
    return this.link.resources.handle(name);
  }

  session(options: { label?: string } = noOptions as object): Session {
    this.#checkOpen();
    checkIsObject(options);
    const { label } = options;
    if (label !== undefined) checkLabel(label);
    const session = new BrokerSession(this.link, this, label);
    this.#children.add(session);
    return session;
  }

  async settled(set: SetSpec | PreparedSet, options: SettledOptions = noOptions): Promise<void> {
    await this.#promise('settled', set, options);
  }

  /** Tells of what went through other clients too. A closed session can be asked as well. */
  async query(): Promise<BrokerSnapshot> {
    const snapshot = (await this.link.ask({ do: 'query' })) as unknown as BrokerSnapshot;
    return { held: snapshot.held.map(entryOf), pending: snapshot.pending.map(entryOf) };
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** @internal What the broker knows it by, who is told of it if need be. */
  sessionSent(): number {
    if (this.#parent === undefined) return 0;
    this.link.begin(this.#number, this.#parent.sessionSent(), this.label);
    return this.#number;
  }

  async #promise(
    how: AskTerms['do'],
    set: SetSpec | PreparedSet,
    options: AcquireOptions,
  ): Promise<Grant | null> {
    const { ask, holding, timeoutMs, signal } = this.#check(how, set, options);
    return new Promise((resolve, reject) => {
      const terms = { holding, timeoutMs, signal };
      new PromiseRequest(this, ask, terms, resolve, reject).start();
    });
  }

  #check(how: AskTerms['do'], set: SetSpec | PreparedSet, options: AcquireOptions) {
    this.#checkOpen();
    if (options !== noOptions) checkOptions(options);
    const { locked, steal, label, signal } = options;
    const holding = options === noOptions ? nothingHeld : this.#heldBy(options);
    const isEndless = options.timeoutMs === Number.POSITIVE_INFINITY;
    const timeoutMs = isEndless ? undefined : options.timeoutMs;
    const sent = this.link.resources.sentSet(set);
    throwIfAborted(options);
    if (steal === true && sent.shared !== undefined && sent.shared.length > 0) {
      throw new InvalidSetError('steal takes exclusive resources only');
    }
    const ask: AskTerms = {
      do: how,
      ...sent,
      ...(label !== undefined && { label }),
      ...(locked !== undefined && { locked }),
      ...(steal !== undefined && { steal }),
    };
    return { ask, holding, timeoutMs, signal };
  }

  #heldBy({ holding }: AcquireOptions): readonly BrokerGrant[] {
    if (holding === undefined) return nothingHeld;
    const declared = (Array.isArray(holding) ? holding : [holding]) as readonly Grant[];
    return declared.map((grant) => {
      if (grant instanceof BrokerGrant && grant.scope.link === this.link) return grant;
      throw new TypeError(`holding is a grant of this domain, not ${describe(grant)}`);
    });
  }

  async #close(): Promise<void> {
    const owned = this.#shut();
    if (this.#parent !== undefined) this.#parent.#children.delete(this);
    const requests = owned.filter((each) => each instanceof BrokerRequest);
    const reason = new DomainClosedError(
      'the domain or session was closed while the request waited',
    );
    this.link.delivery.asOne(() => {
      for (const request of requests.sort((a, b) => a.id - b.id)) request.refuse(reason);
      for (const each of owned) if (each instanceof BrokerGrant) each.lose(lostError(each.token));
    });
    if (this.#parent === undefined) await this.link.close();
    else await this.link.end(this.#number);
  }

  /** Its own sessions too. Returns what went through them and lives. */
  #shut(): readonly (BrokerRequest | BrokerGrant)[] {
    this.#isOpen = false;
    const children = [...this.#children];
    return [...this.tracked, ...children.flatMap((child) => child.#shut())];
  }

  #checkOpen(): void {
    if (!this.#isOpen) throw new DomainClosedError('the domain or session is closed');
  }
}

/** What JSON leaves out is there, and undefined. */
function entryOf(entry: BrokerSnapshotEntry): BrokerSnapshotEntry {
  const { id, set, label, session, token, since, waitingFor, client } = entry;
  const { number = 0, label: name, pid, command } = client ?? {};
  const whose = client && { number, label: name, pid, command };
  return { id, set, label, session, token, since, waitingFor, client: whose };
}
