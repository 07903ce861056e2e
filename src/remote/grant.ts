/**
 * A grant as its client knows it. The client keeps exactly what it holds, so every operation on a
 * grant is checked here and then sent to the backend, where it cannot fail. A backend that loses
 * its state is given it back from what is kept here.
 */

import { eventFlags } from '../api/events.ts';
import type { Grant, UnitsLeft } from '../api/grant.ts';
import { ALL, downgraded, takesAll } from '../api/mode.ts';
import type { AcquireOptions } from '../api/options.ts';
import type { RequestKey } from '../api/outer-grants.ts';
import { isUnitsLeft, type ReadSet } from '../api/read-set.ts';
import { lacksUnits, noCapacity, notFewer, overCapacity, partNotHeld } from '../api/refusals.ts';
import type { AcceptHandle, PreparedSet, ResourceRef, SetSpec } from '../api/sets.ts';
import type { Unit } from '../api/units.ts';
import { openInner } from '../backends/process/inner-domain.ts';
import type { Deliverable } from '../runtime/delivery.ts';
import {
  endInner,
  followOuter,
  type InnerDomain,
  type OuterGrant,
  type OuterUnits,
  type RunFunction,
  runWithin,
} from '../session/inner-domain.ts';
import { checkOnRead } from './checked-signal.ts';
import { grantEvents, unitsOfEvent } from './events.ts';
import { lostError } from './lost-error.ts';
import type { Granted, Operation } from './protocol.ts';
import { nameOf, type RemoteRef, type RemoteSet } from './resources.ts';
import type { RemoteScope, ScopeBackend } from './scope.ts';
import {
  countOf,
  firstOf,
  noUnits,
  type RemoteUnits,
  readGrantedUnits,
  unitsByName,
} from './units.ts';

const none: readonly string[] = Object.freeze([]);

/** The request that is granted. */
interface GrantedRequest {
  readonly id: number;
  readonly scope: RemoteScope;
  readonly terms: { readonly label: string | undefined; readonly set: RemoteSet };
}

export class RemoteGrant implements Grant, OuterGrant, Deliverable {
  /** @internal Also of its request. */
  readonly id: number;
  /** @internal */
  readonly scope: RemoteScope;
  /** @internal */
  readonly label: string | undefined;
  /** @internal When this client received it: ms since 1970. */
  readonly sinceMs: number;
  readonly token: number;
  readonly recovered: readonly string[];
  readonly ignored: readonly string[];
  #set: RemoteSet;
  #units: RemoteUnits;
  #state: 'held' | 'released' | 'abandoned' | 'lost' = 'held';
  /** Why its signal aborts, once it is abandoned or lost. */
  #reason: unknown;
  #controller: AbortController | undefined;
  #inner: InnerDomain | undefined;
  /** Changes that are to be made once an upgrade has been answered. */
  #later: (() => void)[] | undefined;

  constructor(
    { id, scope, terms }: GrantedRequest,
    { token, recovered = none, ignored = none, units }: Granted,
  ) {
    this.id = id;
    this.scope = scope;
    this.label = terms.label;
    this.sinceMs = scope.backend.clock.epochMs();
    this.#set = terms.set;
    this.#units = readGrantedUnits(units);
    this.token = token;
    this.recovered = recovered;
    this.ignored = ignored;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      checkOnRead(this.#controller.signal, () => this.#checkLease());
    }
    this.#checkLease();
    return this.#controller.signal;
  }

  get isHeld(): boolean {
    this.#checkLease();
    return this.#state === 'held';
  }

  get units(): Readonly<Record<string, readonly Unit[]>> {
    return this.unitsUpTo(ALL);
  }

  /** @internal But for those of resources of which it has more than `countMax`. */
  unitsUpTo(countMax: number): Readonly<Record<string, readonly Unit[]>> {
    return unitsByName(this.isHeld ? this.#units : noUnits, countMax);
  }

  /** @internal For claiming them again. */
  get unitsHeld(): RemoteUnits {
    return this.#units;
  }

  /** @internal Lost before its holder has released it. */
  get isLost(): boolean {
    return this.#state === 'lost';
  }

  /** @internal Also false for a proxy of a grant. */
  static isGrant(value: unknown): value is RemoteGrant {
    return typeof value === 'object' && value !== null && #state in value;
  }

  /** @internal By which any client of the domain finds it, where the backend has such keys. */
  get key(): RequestKey | undefined {
    return this.#backend.keyOf(this);
  }

  /** @internal What is left of it. */
  get set(): RemoteSet {
    return this.#set;
  }

  /** Done when it returns, as far as this client's further requests go. */
  release(part?: ResourceRef | readonly ResourceRef[]): void | Promise<void> {
    if (part === undefined) return this.#releaseAll();
    const chosen = this.#read(part);
    return this.#afterUpgrade(() => this.#releasePart(chosen));
  }

  #releasePart(chosen: ReadonlySet<RemoteRef>): void | Promise<void> {
    this.#checkHolds(chosen);
    if (chosen.size === 0) return;
    this.#set = this.#set.filter(({ resource }) => !chosen.has(resource));
    this.#keepUnits((ref) => (chosen.has(ref) ? 0 : ALL));
    // With its last part the grant ends.
    if (this.#set.length === 0) return this.#releaseAll();
    if (eventFlags.hasSubscribers) grantEvents(this).weakened(this.token, unitsOfEvent(this));
    const done = this.#backend.send({ do: 'release', id: this.id, part: [...chosen] });
    followOuter(this, this.#inner);
    return done;
  }

  #releaseAll(): void | Promise<void> {
    if (!this.#end('released')) return;
    if (eventFlags.hasSubscribers) grantEvents(this).released(this.token, false);
    const done = this.#backend.send({ do: 'release', id: this.id });
    this.#endInner();
    return done;
  }

  downgrade(part?: ResourceRef | readonly ResourceRef[] | UnitsLeft): void | Promise<void> {
    const { id } = this;
    if (isUnitsLeft(part)) {
      const left = this.#backend.resources.unitsLeftOf(part);
      return this.#afterUpgrade(() => {
        this.#checkLeft(left);
        const units = [...left];
        return this.#downgrade((ref) => left.get(ref), true, { do: 'downgrade', id, units });
      });
    }
    const named = part === undefined ? undefined : this.#read(part);
    return this.#afterUpgrade(() => {
      const chosen = named === undefined ? this.#all() : this.#checkHolds(named);
      const operation = named === undefined ? undefined : { part: [...named] };
      const unitsLeft = (ref: RemoteRef) => (chosen.has(ref) ? 1 : undefined);
      return this.#downgrade(unitsLeft, false, { do: 'downgrade', id, ...operation });
    });
  }

  #downgrade(
    unitsLeft: (ref: RemoteRef) => number | undefined,
    isMetered: boolean,
    operation: Operation,
  ): void | Promise<void> {
    if (!this.#set.some(({ resource }) => unitsLeft(resource) !== undefined)) return;
    this.#set = downgraded(this.#set, unitsLeft, isMetered);
    this.#keepUnits((ref) => unitsLeft(ref) ?? ALL);
    if (eventFlags.hasSubscribers) grantEvents(this).weakened(this.token, unitsOfEvent(this));
    const done = this.#backend.send(operation);
    followOuter(this, this.#inner);
    return done;
  }

  async tryUpgrade(part?: ResourceRef | readonly ResourceRef[]): Promise<boolean> {
    const named = part === undefined ? undefined : this.#read(part);
    const isUpgraded = await this.#afterUpgrade(() => this.#tryUpgrade(named));
    return isUpgraded === true;
  }

  async #tryUpgrade(named: ReadonlySet<RemoteRef> | undefined): Promise<boolean> {
    const chosen = named === undefined ? this.#all() : this.#checkHolds(named);
    const later: (() => void)[] = [];
    this.#later = later;
    try {
      const units = await this.#backend.tryUpgrade(this, [...chosen]);
      if (units === undefined || !this.isHeld) return false;
      this.#set = this.#set.map((each) => {
        return chosen.has(each.resource) ? { resource: each.resource, units: ALL } : each;
      });
      this.#units = new Map([...this.#units, ...units]);
      if (eventFlags.hasSubscribers) grantEvents(this).upgraded(this.token, unitsOfEvent(this));
      followOuter(this, this.#inner);
      return true;
    } finally {
      this.#later = undefined;
      for (const change of later) change();
    }
  }

  /**
   * While the backend answers to an upgrade it is not known what a change leaves, so the change
   * comes after it; if the grant has ended by then, it is nothing.
   */
  #afterUpgrade<T>(change: () => T | Promise<T>): T | Promise<T | undefined> {
    const later = this.#later;
    if (later === undefined) return change();
    return new Promise((resolve, reject) => {
      const run = (): void => {
        try {
          if (this.#later !== undefined) this.#later.push(run);
          else resolve(this.isHeld ? change() : undefined);
        } catch (error) {
          reject(error);
        }
      };
      later.push(run);
    });
  }

  /** The first units of each resource, at most that many, stay. */
  #keepUnits(countOf: (ref: RemoteRef) => number): void {
    if (this.#units.size === 0) return;
    const kept = [...this.#units].map(
      ([ref, units]) => [ref, firstOf(units, countOf(ref))] as const,
    );
    this.#units = new Map(kept.filter(([, units]) => units.length > 0));
  }

  run<R>(
    set: SetSpec | PreparedSet,
    optionsOrFn: AcquireOptions | RunFunction<R>,
    maybeFn?: RunFunction<R>,
  ): Promise<R> {
    return runWithin(this, set, optionsOrFn, maybeFn);
  }

  /** @internal */
  get inner(): InnerDomain {
    this.#inner ??= openInner(this, this.scope.label);
    return this.#inner;
  }

  /** @internal */
  get accept(): AcceptHandle {
    return this.#backend.resources.accept;
  }

  /** @internal */
  listsOf(set: SetSpec | PreparedSet): ReadSet {
    return this.#backend.resources.listsOf(set);
  }

  /** @internal */
  unitsOf(ref: ResourceRef): OuterUnits | undefined {
    const [resource] = this.#backend.resources.refsOf(ref);
    return this.#units.get(resource as RemoteRef);
  }

  /** @internal Whether it holds all of a set, or more. */
  covers(set: SetSpec): boolean {
    const wanted = this.#backend.resources.read(set);
    if (!this.isHeld) return false;
    const unitsOf = new Map(this.#set.map(({ resource, units }) => [resource, units]));
    return wanted.every(({ resource, units, of }) => {
      if (units > (unitsOf.get(resource) ?? 0)) return false;
      if (this.ignored.includes(nameOf(resource))) return false;
      return of === undefined || units <= countOf(this.#units.get(resource) ?? []);
    });
  }

  abandon(reason?: unknown): void | Promise<void> {
    if (!this.#end('abandoned')) return;
    this.#reason = reason ?? lostError(this.token);
    if (eventFlags.hasSubscribers) grantEvents(this).released(this.token, true);
    const done = this.#backend.send({ do: 'abandon', id: this.id });
    this.deliver();
    return done;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  /**
   * @internal For {@link RequestTable.lose}: the grant is lost at once; `deliver` notifies the
   * listeners of its signal. False if it has ended before.
   */
  revoke(reason: unknown = lostError(this.token)): boolean {
    if (this.#state !== 'held') return false;
    this.#state = 'lost';
    this.#reason = reason;
    return true;
  }

  /** @internal */
  deliver(): void {
    this.#controller?.abort(this.#reason);
    this.#endInner();
  }

  #endInner(): void {
    const inner = this.#inner;
    this.#inner = undefined;
    endInner(this, inner);
  }

  get #backend(): ScopeBackend {
    return this.scope.backend;
  }

  /** If the lease is over, or the grant lost or abandoned, its signal has aborted on return. */
  #checkLease(): void {
    if (this.#state === 'held') this.#backend.checkLease();
    if (this.#state === 'lost' || this.#state === 'abandoned') this.deliver();
  }

  /** False if it had ended before. */
  #end(state: 'released' | 'abandoned'): boolean {
    this.#checkLease();
    if (this.#state !== 'held') return false;
    this.#state = state;
    return true;
  }

  #all(): ReadonlySet<RemoteRef> {
    this.checkHeld();
    return new Set(this.#set.map(({ resource }) => resource));
  }

  /** Not while anything is checked, as it runs code of the caller, which may change it. */
  #read(part: ResourceRef | readonly ResourceRef[]): ReadonlySet<RemoteRef> {
    return new Set(this.#backend.resources.refsOf(part));
  }

  #checkHolds(chosen: ReadonlySet<RemoteRef>): ReadonlySet<RemoteRef> {
    const held = this.#all();
    for (const ref of chosen) {
      if (!held.has(ref)) throw partNotHeld(this.token);
    }
    return chosen;
  }

  /** Checks the units that are to be left of each resource. */
  #checkLeft(left: ReadonlyMap<RemoteRef, number>): void {
    if (!this.#backend.hasUnits) throw lacksUnits(this.#backend.eventDomain.backend);
    this.checkHeld();
    for (const [ref, units] of left) {
      const own = this.#set.find(({ resource }) => resource === ref);
      if (own === undefined) throw partNotHeld(this.token);
      if (units > own.units) throw notFewer(nameOf(ref), units, own.units);
      const count = countOf(this.#units.get(ref) ?? []);
      if (count === 0) throw noCapacity(nameOf(ref));
      if (takesAll(own.units) && units > count) throw overCapacity(nameOf(ref), units, count);
    }
  }

  /** @internal */
  checkHeld(): void {
    this.#checkLease();
    if (this.#state === 'lost') throw this.#reason;
    if (this.#state !== 'held') throw lostError(this.token, 'was released before');
  }
}
