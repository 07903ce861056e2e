/** What a client of the {@link NaiveServer} has of a request, and of what that becomes. */

import { setMaxListeners } from 'node:events';
import {
  type AcquireOptions,
  type Grant,
  GrantLostError,
  InvalidSetError,
  type ResourceRef,
  type UnitsLeft,
  UnsupportedError,
  type Waiter,
} from 'kds';
import type { OracleSpec } from 'kds/conformance';
import { callBack } from '../../src/api/callback.ts';
import { captureContext, detectContext, runInContext } from '../../src/runtime/async-context.ts';
import { deliver } from '../../src/runtime/delivery.ts';
import type { NaiveDomain } from './naive-domain.ts';
import type { Live, Owner, Terms } from './naive-server.ts';

const delayMsMax = 2 ** 31 - 1;

export class NaiveRequest implements Owner, Waiter {
  readonly domain: NaiveDomain;
  readonly label: string | undefined;
  set: Live | undefined;
  onEnd: () => void = () => undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #isCallback: boolean;
  readonly #tellGranted: (grant: Grant) => void;
  readonly #tellRefused: (reason: unknown) => void;
  #grant: NaiveGrant | undefined;
  readonly #context = captureContext();
  #isOver = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    domain: NaiveDomain,
    { label, signal }: AcquireOptions,
    isCallback: boolean,
    tellGranted: (grant: Grant) => void,
    tellRefused: (reason: unknown) => void,
  ) {
    this.domain = domain;
    this.label = label;
    this.#signal = signal;
    this.#isCallback = isCallback;
    this.#tellGranted = tellGranted;
    this.#tellRefused = tellRefused;
  }

  get session(): string | undefined {
    return this.domain.label;
  }

  start(spec: OracleSpec, terms: Terms, isObserver: boolean): void {
    const { server } = this.domain;
    const { timeoutMs = 0 } = terms;
    if (this.#signal !== undefined) {
      if (this.#signal instanceof EventTarget) setMaxListeners(0, this.#signal);
      this.#signal.addEventListener('abort', this.#abort);
      const isEager = server.fault !== 'a signal that aborts as it is listened to is overlooked';
      if (this.#signal.aborted && isEager) this.#abort();
      if (this.#isOver) return;
    }
    server.send(() => {
      this.set = isObserver ? server.observe(spec, terms, this) : server.arrive(spec, terms, this);
    });
    if (timeoutMs === 0 || timeoutMs > delayMsMax) return;
    const timeOut = () => server.send(() => server.timeOut(this.set, timeoutMs));
    this.#timer = setTimeout(timeOut, timeoutMs);
  }

  onGranted(set: Live, token: number, recovered: readonly string[]): void {
    const { server } = this.domain;
    const isCalled = this.#isCallback && server.fault === 'a cancelled callback is called';
    if (this.#isOver && !isCalled) {
      server.send(() => server.remove(set));
      return;
    }
    this.#end();
    const grant = new NaiveGrant(this.domain, set, token, recovered);
    this.#grant = grant;
    if (!set.isObserver) this.domain.grants.add(grant);
    if (!this.#isCallback) {
      this.#tellGranted(grant);
      return;
    }
    if (server.fault === 'a callback is called twice') this.#call(grant);
    deliver({ deliver: () => this.#call(grant) });
  }

  onRefused(reason: unknown): void {
    if (this.#isOver) return;
    this.#end();
    detectContext();
    deliver({ deliver: () => void runInContext(this.#context, this.#tellRefused, reason) });
  }

  #call(grant: NaiveGrant): void {
    const { fault } = this.domain.server;
    const isAnywhere = fault === 'a callback runs in the context of its releaser';
    detectContext();
    if (isAnywhere || fault === 'a callback that throws keeps its grant') this.#tellGranted(grant);
    else callBack(this.#context, this.#tellGranted, grant);
  }

  onLost(): void {
    this.#grant?.lose();
  }

  cancel(): boolean {
    if (this.#isOver) return false;
    this.#end();
    const { server } = this.domain;
    if (server.fault !== 'a cancelled callback is called') {
      server.send(() => server.remove(this.set));
    }
    return true;
  }

  readonly #abort = (): void => {
    const { server } = this.domain;
    const isOwn = server.fault === 'an abort has a reason of its own';
    this.onRefused(isOwn ? new Error('aborted') : this.#signal?.reason);
    server.removeSoon(() => this.set);
  };

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener('abort', this.#abort);
    this.domain.requests.delete(this);
    this.onEnd();
  }
}

export class NaiveGrant implements Grant {
  readonly domain: NaiveDomain;
  readonly set: Live;
  readonly token: number;
  readonly recovered: readonly string[];
  readonly ignored: readonly string[] = [];
  readonly #controller = new AbortController();
  #isOver = false;
  isLost = false;

  constructor(domain: NaiveDomain, set: Live, token: number, recovered: readonly string[]) {
    this.domain = domain;
    this.set = set;
    this.token = token;
    this.recovered = recovered;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get isHeld(): boolean {
    return !this.#isOver;
  }

  async release(part?: ResourceRef | readonly ResourceRef[]): Promise<void> {
    const { server } = this.domain;
    if (part !== undefined) {
      await this.#weaken(part, (keys) => server.releasePart(this.set, keys));
      if (this.set.modes.size === 0) this.#end();
      return;
    }
    if (this.#isOver && server.fault === 'a second release ends the next holder') {
      await server.ask(() => server.remove(server.successorOf(this.set)));
    }
    await this.#leave(false);
  }

  get units(): Readonly<Record<string, never>> {
    return {};
  }

  /** Not offered. */
  async tryUpgrade(): Promise<never> {
    throw new UnsupportedError('the naive backend has no units');
  }

  async downgrade(part?: ResourceRef | readonly ResourceRef[] | UnitsLeft): Promise<void> {
    const { server } = this.domain;
    const refs = part as ResourceRef | readonly ResourceRef[] | undefined;
    await this.#weaken(refs, (keys) =>
      server.downgrade(this.set, refs === undefined ? undefined : keys),
    );
  }

  async abandon(reason?: unknown): Promise<void> {
    if (this.#isOver) return;
    const left = this.#leave(true);
    this.#controller.abort(reason ?? new GrantLostError('the grant was abandoned'));
    await left;
  }

  /** Not offered. */
  async run(): Promise<never> {
    throw new UnsupportedError('grants of this backend have no inner domain');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  /** It was taken away. */
  lose(): void {
    if (this.#isOver) return;
    this.#end();
    this.isLost = this.domain.server.fault !== 'a run whose grant is revoked succeeds';
    this.#controller.abort(new GrantLostError(`grant ${this.token} was taken away`));
  }

  async #leave(died: boolean): Promise<void> {
    if (this.#isOver) return;
    this.#end();
    const { server } = this.domain;
    await server.ask(() => server.remove(this.set, died));
  }

  async #weaken(
    part: ResourceRef | readonly ResourceRef[] | undefined,
    change: (keys: readonly string[]) => void,
  ): Promise<void> {
    const { server, client } = this.domain;
    const keys = part === undefined ? [] : client.keysOfPart(part);
    if (this.#isOver) throw new GrantLostError(`grant ${this.token} has ended`);
    await server.ask(() => {
      if (!server.isLive(this.set)) throw new GrantLostError(`grant ${this.token} was lost`);
      const lacks = keys.filter((key) => !this.set.modes.has(key));
      if (lacks.length > 0) throw new InvalidSetError(`the grant does not hold ${lacks}`);
      change(keys);
    });
  }

  #end(): void {
    this.#isOver = true;
    this.domain.grants.delete(this);
  }
}
