/** The rule, and how many units there are. */

import * as L from './layout.ts';

/**
 * The rule (I2): a link fits behind triggered links that take `used` units, of `capacity`. The
 * first link of a queue always fits (I4): an exclusive one takes ALL, which is more than a declared
 * capacity, and so shares with no other link.
 */
export function fits(used: number, units: number, capacity: number): boolean {
  return used + units <= capacity || used === 0;
}

/** The capacity of a resource: the declared one, or ALL. */
export function capacityOf(w: Int32Array, resource: number): number {
  const annex = w[resource | L.RESOURCE_ANNEX];
  return annex === L.NOBODY ? L.ALL : w[annex | L.ANNEX_CAPACITY];
}

/** Whether a resource has a capacity, declared or asserted. */
export function isMetered(w: Int32Array, resource: number): boolean {
  const annex = w[resource | L.RESOURCE_ANNEX];
  return annex !== L.NOBODY && (w[annex | L.FLAGS] & L.ANNEX_METERED) !== 0;
}

/** The units that a link takes, from 1 to ALL; of an observation, those that it would take. */
export function unitsOf(w: Int32Array, link: number): number {
  return w[link | L.FLAGS] >>> L.LINK_UNITS_SHIFT;
}
