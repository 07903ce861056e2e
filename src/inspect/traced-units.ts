/** The units of the traced grants that live: no two may have one. */

import type { Unit } from '../api/units.ts';

type UnitsByName = Readonly<Record<string, readonly Unit[]>>;

interface UnitTwice {
  readonly name: string;
  readonly unit: Unit;
  /** The request of the other grant. */
  readonly other: number;
}

export class TracedUnits {
  readonly #holders = new Map<string, Map<Unit, number>>();
  readonly #held = new Map<number, UnitsByName>();

  /** The units that the grant of a request has from now on. Returns one that another one has. */
  hold(id: number, units: UnitsByName = {}): UnitTwice | undefined {
    this.release(id);
    this.#held.set(id, units);
    let found: UnitTwice | undefined;
    for (const [name, own] of Object.entries(units)) {
      const holders = this.#holders.get(name) ?? new Map<Unit, number>();
      this.#holders.set(name, holders);
      for (const unit of own) {
        const other = holders.get(unit);
        if (other !== undefined) found ??= { name, unit, other };
        holders.set(unit, id);
      }
    }
    return found;
  }

  release(id: number): void {
    for (const [name, own] of Object.entries(this.#held.get(id) ?? {})) {
      const holders = this.#holders.get(name);
      for (const unit of own) if (holders?.get(unit) === id) holders.delete(unit);
    }
    this.#held.delete(id);
  }
}
