/**
 * A grant. `set` is its set in core, and 0 once its holder has let go; a grant
 * that was taken away still has it, but core knows no such token any more.
 */

import { GrantLostError } from '../api/errors.ts';
import { eventFlags } from '../api/events.ts';
import type { LossReport, SyncGrant, UnitsLeft } from '../api/grant.ts';
import { ALL } from '../api/mode.ts';
import type { AcquireOptions } from '../api/options.ts';
import {
  isUnitsLeft,
  listsOf,
  type ReadSet,
  type RequestedRefs,
  unitsAt,
} from '../api/read-set.ts';
import {
  noCapacity,
  notFewer,
  numbersDoNotFit,
  overCapacity,
  partNotHeld,
} from '../api/refusals.ts';
import type { AcceptHandle, PreparedSet, ResourceRef, SetSpec } from '../api/sets.ts';
import type { Unit } from '../api/units.ts';
import type { Core } from '../core/index.ts';
import { type CapacityReader, unitsOfGrant, unitsOfLink } from '../report/capacities.ts';
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
import type { HeldContext } from './held-context.ts';
import type { RequestedSet, Resources } from './resources.ts';

/** The session that a request or grant came through. */
export interface GrantScope {
  readonly backend: GrantSource;
  readonly label: string | undefined;
  /** The id that a server gave the session. */
  readonly owner: number | undefined;
  /** What came through the session and lives; undefined for the domain. */
  readonly tracked: Tracked | undefined;
}

interface Tracked {
  add(grant: LocalGrant): unknown;
  delete(grant: LocalGrant): unknown;
}

/** Opens the inner domain of a grant. `label`: of the session. */
export type OpenInner = (
  outer: OuterGrant,
  label: string | undefined,
  context: HeldContext | undefined,
) => InnerDomain;

/** The operations that grants use. */
export interface GrantSource {
  readonly core: Core;
  readonly resources: Resources;
  readonly delivery: { direct(item: Deliverable): void };
  readonly heldContext: HeldContext | undefined;
  readonly openInner: OpenInner | undefined;
  readonly outer: { readonly token: number } | undefined;
  readonly events: {
    weakened(set: number, token: number): void;
    upgraded(set: number, token: number): void;
  };
  readonly reader: CapacityReader;
  readonly port: {
    readonly owners: { attach(grant: LocalGrant): void };
    readonly queues: { reserveDowngrade(set: number): void };
    readonly retries: { later(error: unknown, task: () => void): void };
  };
  begin(): void;
  commit(): void;
  abort(error: unknown): unknown;
  release(set: number, token: number, died: boolean): boolean;
  releaseAlone(set: number, token: number): boolean;
}

/** What few grants need. */
interface GrantDetails {
  label?: string;
  recovered?: readonly string[];
  ignored?: readonly string[];
  controller?: AbortController;
  onLost?: LossReport | undefined;
  /** It was abandoned, or ended by its domain, with this reason, if one was given. */
  ended?: { readonly reason: unknown };
  inner?: InnerDomain;
}

const none: readonly string[] = Object.freeze([]);
const noUnits: Readonly<Record<string, readonly Unit[]>> = Object.freeze({});

export class LocalGrant implements SyncGrant, OuterGrant, Deliverable {
  /** @internal */
  readonly scope: GrantScope;
  /** @internal */
  set: number;
  /** @internal By which core knows its set. */
  readonly ownToken: number;
  private own: GrantDetails | undefined = undefined;

  constructor(scope: GrantScope, set: number, ownToken: number) {
    this.scope = scope;
    this.set = set;
    this.ownToken = ownToken;
  }

  /** Of a nested one: that of the grant around it, by which storage outside knows both. */
  get token(): number {
    return this.scope.backend.outer?.token ?? this.ownToken;
  }

  get signal(): AbortSignal {
    const details = this.details();
    if (details.controller === undefined) {
      details.controller = new AbortController();
      if (this.isLost || details.ended !== undefined) this.deliver();
    }
    return details.controller.signal;
  }

  /** @internal From now on, for one caller: see {@link whenLost} of the interface. */
  whenLost(report: LossReport | undefined): void {
    this.details().onLost = report;
  }

  get recovered(): readonly string[] {
    return this.own?.recovered ?? none;
  }

  get ignored(): readonly string[] {
    return this.own?.ignored ?? none;
  }

  get units(): Readonly<Record<string, readonly Unit[]>> {
    return this.unitsUpTo(ALL);
  }

  /** @internal But for those of resources of which it has more than `countMax`. */
  unitsUpTo(countMax: number): Readonly<Record<string, readonly Unit[]>> {
    if (this.set === 0) return noUnits;
    const { backend } = this.scope;
    backend.begin();
    const units = this.isHeld ? unitsOfGrant(backend.reader, this.set, countMax) : undefined;
    backend.commit();
    return units ?? noUnits;
  }

  /** @internal */
  get label(): string | undefined {
    return this.own?.label;
  }

  get isHeld(): boolean {
    return this.set !== 0 && this.scope.backend.core.isHeld(this.set, this.ownToken);
  }

  /** @internal Taken away before its holder has let go. */
  get isLost(): boolean {
    return this.set !== 0 && !this.scope.backend.core.isHeld(this.set, this.ownToken);
  }

  covers(set: SetSpec | PreparedSet): boolean {
    if (this.set === 0) return false;
    const { backend } = this.scope;
    const requested = backend.resources.read(set);
    backend.begin();
    let isCovered: boolean;
    try {
      isCovered = this.isHeld && this.#covers(requested);
    } catch (error) {
      throw backend.abort(error);
    }
    backend.commit();
    return isCovered;
  }

  release(part?: ResourceRef | readonly ResourceRef[]): void {
    if (part !== undefined) this.#releasePart(part);
    else if (this.own !== undefined || !this.releaseAlone()) this.endInTime(false);
  }

  private releaseAlone(): boolean {
    const { set } = this;
    if (set === 0 || !this.scope.backend.releaseAlone(set, this.ownToken)) return false;
    this.set = 0;
    return true;
  }

  downgrade(part?: ResourceRef | readonly ResourceRef[] | UnitsLeft): void {
    const { backend } = this.scope;
    if (isUnitsLeft(part)) {
      const { requested, left } = backend.resources.readUnitsLeft(part);
      this.#downgrade(requested, left);
    } else {
      this.#downgrade(part === undefined ? undefined : backend.resources.readPart(part));
    }
  }

  tryUpgrade(part?: ResourceRef | readonly ResourceRef[]): boolean {
    const { backend } = this.scope;
    const requested = part === undefined ? undefined : backend.resources.readPart(part);
    backend.begin();
    let isUpgraded: boolean;
    try {
      this.checkHeld();
      if (requested !== undefined) this.#choose(requested);
      isUpgraded = backend.core.tryUpgrade(this.set, requested !== undefined);
      if (isUpgraded && eventFlags.hasSubscribers) {
        backend.events.upgraded(this.set, this.ownToken);
      }
    } catch (error) {
      throw backend.abort(error);
    }
    backend.commit();
    if (isUpgraded) followOuter(this, this.own?.inner);
    return isUpgraded;
  }

  /** To shared, or to the units that are `left` of each resource. */
  #downgrade(requested: RequestedRefs | undefined, left?: readonly number[]): void {
    const { backend } = this.scope;
    const { core } = backend;
    backend.begin();
    try {
      this.checkHeld();
      backend.port.queues.reserveDowngrade(this.set);
      const unitsFor = left && this.#unitsLeft(requested as RequestedRefs, left);
      if (requested !== undefined) this.#choose(requested);
      if (!core.downgrade(this.set, requested !== undefined, unitsFor)) throw numbersDoNotFit();
      if (eventFlags.hasSubscribers) backend.events.weakened(this.set, this.ownToken);
    } catch (error) {
      throw backend.abort(error);
    }
    backend.commit();
    followOuter(this, this.own?.inner);
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
    const { backend, label } = this.scope;
    const details = this.details();
    details.inner ??= (backend.openInner as OpenInner)(this, label, backend.heldContext);
    return details.inner;
  }

  /** @internal */
  get accept(): AcceptHandle {
    return this.scope.backend.resources.accept;
  }

  /** @internal */
  listsOf(set: SetSpec | PreparedSet): ReadSet {
    return listsOf(this.scope.backend.resources.read(set));
  }

  /** @internal */
  unitsOf(ref: ResourceRef): OuterUnits | undefined {
    const { backend } = this.scope;
    const { core, reader } = backend;
    const requested = backend.resources.readPart(ref);
    backend.begin();
    const queue = backend.resources.resolveExisting(requested)?.queues[0] ?? 0;
    const link = queue === 0 || !this.isHeld ? 0 : this.#linkTo(queue);
    let units: OuterUnits | undefined;
    if (link !== 0 && core.isMetered(queue)) {
      const hasNames = reader.unitNamesOf(queue) !== undefined;
      units = hasNames ? unitsOfLink(reader, link) : core.ranges(link);
    }
    backend.commit();
    return units;
  }

  abandon(reason?: unknown): void {
    this.endInTime(true, reason);
  }

  [Symbol.dispose](): void {
    this.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
  }

  /** @internal From now on it is found by its set. */
  details(): GrantDetails {
    if (this.own === undefined) {
      this.own = {};
      if (this.isHeld) this.scope.backend.port.owners.attach(this);
    }
    return this.own;
  }

  /** @internal Its holder has let go, or has `died`, together with others. */
  forgetSet(died: boolean, reason?: unknown): void {
    this.set = 0;
    this.scope.tracked?.delete(this);
    // A signal that is first read later aborts then.
    if (died) this.details().ended = { reason };
    // Of the caller's code nothing runs before the operation is over.
    const inner = this.own?.inner;
    if (inner === undefined) return;
    this.scope.backend.delivery.direct({ deliver: () => endInner(this, inner) });
  }

  /** @internal It was taken away, or abandoned: aborts its signal, and reports that. */
  deliver(): void {
    const own = this.own;
    if (own?.controller ?? own?.onLost) {
      const reason = own.ended?.reason ?? this.#lostError();
      own.controller?.abort(reason);
      own.onLost?.(reason);
      own.onLost = undefined;
    }
    endInner(this, own?.inner);
  }

  /** Now, or as soon as the state can be reached. */
  private endInTime(died: boolean, reason?: unknown): void {
    try {
      const isEnded = this.end(died, reason);
      if (died && isEnded) this.deliver();
    } catch (error) {
      this.#endLater(error, died, reason);
    }
  }

  /** Apart from where all pass: a function with a closure in it makes room for that each time. */
  #endLater(error: unknown, died: boolean, reason: unknown): void {
    this.scope.backend.port.retries.later(error, () => this.endInTime(died, reason));
  }

  /** False if it had ended before. */
  private end(died: boolean, reason?: unknown): boolean {
    const { set } = this;
    if (set === 0) return false;
    const { backend } = this.scope;
    backend.begin();
    const isReleased = backend.release(set, this.ownToken, died);
    if (isReleased) this.forgetSet(died, reason);
    backend.commit();
    return isReleased;
  }

  #releasePart(part: ResourceRef | readonly ResourceRef[]): void {
    const { backend } = this.scope;
    const requested = backend.resources.readPart(part);
    backend.begin();
    try {
      this.checkHeld();
      this.#choose(requested);
      backend.core.removeChosen(this.set);
      if (backend.core.firstLink(this.set) === 0) this.end(false);
      else if (eventFlags.hasSubscribers) backend.events.weakened(this.set, this.ownToken);
    } catch (error) {
      throw backend.abort(error);
    }
    backend.commit();
    followOuter(this, this.own?.inner);
  }

  /** Whether it holds all of a set, or more. Within an operation. */
  #covers(wanted: RequestedSet): boolean {
    const part = this.scope.backend.resources.resolveExisting(wanted);
    if (part === undefined) return false;
    const { queues, exclusiveCount, unitsCount, count } = part;
    const unitsEnd = exclusiveCount + unitsCount;
    for (let index = 0; index < count; index++) {
      const isOfUnits = index >= exclusiveCount && index < unitsEnd;
      if (!this.#holds(queues[index] as number, unitsAt(part, index), isOfUnits)) return false;
    }
    return true;
  }

  #holds(queue: number, units: number, isOfUnits: boolean): boolean {
    const { core } = this.scope.backend;
    const link = this.#linkTo(queue);
    if (link === 0 || core.isIgnored(link) || core.units(link) < units) return false;
    return !isOfUnits || (core.isMetered(queue) && units <= core.capacity(queue));
  }

  /** The link of its set to a resource, or 0. */
  #linkTo(queue: number): number {
    const { core } = this.scope.backend;
    let link = core.firstLink(this.set);
    while (link !== 0 && core.resourceOf(link) !== queue) link = core.nextLink(link);
    return link;
  }

  /** The units that are left of each queue, once they have been checked. */
  #unitsLeft(requested: RequestedRefs, left: readonly number[]): (queue: number) => number {
    const { backend } = this.scope;
    const { core, reader } = backend;
    const resolved = backend.resources.resolveExisting(requested);
    const unitsLeft = new Map<number, number>();
    for (const [index, units] of left.entries()) {
      const queue = resolved?.queues[index] ?? 0;
      const link = queue === 0 ? 0 : this.#linkTo(queue);
      if (link === 0) throw partNotHeld(this.token);
      const name = reader.nameOf(queue);
      const held = core.units(link);
      if (!core.isMetered(queue)) throw noCapacity(name);
      if (units > held) throw notFewer(name, units, held);
      const capacity = core.capacity(queue);
      if (core.isExclusive(link) && units > capacity) throw overCapacity(name, units, capacity);
      if (!unitsLeft.has(queue)) unitsLeft.set(queue, units);
    }
    return (queue) => unitsLeft.get(queue) as number;
  }

  #choose(part: RequestedRefs): void {
    const { core, resources } = this.scope.backend;
    const resolved = resources.resolveExisting(part);
    if (resolved && core.choose(this.set, resolved.queues, resolved.count)) return;
    throw partNotHeld(this.token);
  }

  /** @internal */
  checkHeld(): void {
    if (this.set === 0) throw new GrantLostError(`grant ${this.token} was released before`);
    if (!this.isHeld) throw this.#lostError();
  }

  #lostError(): GrantLostError {
    return new GrantLostError(
      `grant ${this.token} was taken away, abandoned, or ended with its session or domain: ` +
        'stop using what it protected',
    );
  }
}
