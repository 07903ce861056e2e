/**
 * The capacities that clients have declared: bounded, since they last as long as the broker. A
 * client repeats its own at the next broker; of several, the last one is in force.
 */

import { LimitError } from '../../../api/errors.ts';
import type { ResourceRef } from '../../../api/sets.ts';

import type { HeldUnits, ServedDomain } from '../../process/domain.ts';
import { capacityBytesMax, capacityCountMax } from '../wire/limits.ts';
import type { Declare } from '../wire/messages.ts';

interface Declared {
  /** What its names are taken to cost in memory. */
  readonly byteCount: number;
  /** In the order of declarations, from one term of the broker to the next. */
  readonly order: number;
}

export class Capacities {
  readonly #domain: ServedDomain;
  readonly #declared = new Map<ResourceRef, Declared>();
  #byteCount = 0;

  constructor(domain: ServedDomain) {
    this.#domain = domain;
  }

  /** Ignored if a later declaration is in force. @throws CapacityError, LimitError, TypeError */
  declare(resource: ResourceRef, capacity: Declare['capacity'], order: number): void {
    if ((this.#declared.get(resource)?.order ?? 0) > order) return;
    const byteCount = bytesOf([nameOf(resource), capacity]);
    if (!this.#hasRoomFor(resource, byteCount)) throw overLimit();
    this.#domain.setCapacity(resource, capacity);
    this.#keep(resource, { byteCount, order });
  }

  /** As a claim may restore it: names, and declarations, only while there is room for them. */
  restorable(units: HeldUnits): HeldUnits {
    const { resource, names = [], ...rest } = units;
    if (!units.isDeclared) return { resource, ...rest };
    const { byteCount = bytesOf(nameOf(resource)), order = 0 } = this.#declared.get(resource) ?? {};
    for (const each of [byteCount + bytesOf(names), byteCount]) {
      if (!this.#hasRoomFor(resource, each)) continue;
      this.#keep(resource, { byteCount: each, order });
      return each === byteCount ? { resource, ...rest } : units;
    }
    return { resource, ...rest, isDeclared: false };
  }

  /** A resource without a name has ended. */
  forget(resource: ResourceRef): void {
    this.#byteCount -= this.#declared.get(resource)?.byteCount ?? 0;
    this.#declared.delete(resource);
  }

  #hasRoomFor(resource: ResourceRef, byteCount: number): boolean {
    const before = this.#declared.get(resource);
    if (before === undefined && this.#declared.size >= capacityCountMax) return false;
    return this.#byteCount - (before?.byteCount ?? 0) + byteCount <= capacityBytesMax;
  }

  #keep(resource: ResourceRef, declared: Declared): void {
    this.forget(resource);
    this.#byteCount += declared.byteCount;
    this.#declared.set(resource, declared);
  }
}

function overLimit(): LimitError {
  const bytes = `${capacityBytesMax / 2 ** 20} MiB of names`;
  return new LimitError(
    `a broker has at most ${capacityCountMax} declared capacities, and ${bytes}`,
  );
}

function nameOf(resource: ResourceRef): string {
  return typeof resource === 'string' ? resource : '';
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}
