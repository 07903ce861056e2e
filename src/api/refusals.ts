/** For domains: errors that local and remote ones throw for the same reason. */

import {
  CapacityError,
  DomainClosedError,
  GrantLostError,
  InvalidSetError,
  LimitError,
  ProtocolError,
  UnsupportedError,
} from './errors.ts';
import { describeSet } from './mode.ts';
import { describe, type NamedSet } from './sets.ts';

export function domainClosed(): DomainClosedError {
  return new DomainClosedError('the domain or session is closed');
}

export function closedWhileWaiting(): DomainClosedError {
  return new DomainClosedError('the domain or session was closed while the request waited');
}

/** A set names a closed handle. `name` as snapshots have it. */
export function closedResource(name: string): InvalidSetError {
  return new InvalidSetError(
    `resource ${describe(name)} is closed: make a new handle with resource()`,
  );
}

/** Another domain made the handle or prepared set. */
export function foreignSet(): InvalidSetError {
  return new InvalidSetError('the resource or prepared set belongs to another domain');
}

export function foreignHolding(grant: unknown): TypeError {
  return new TypeError(`holding is a grant of this domain, not ${describe(grant)}`);
}

export function stealsShared(): InvalidSetError {
  return new InvalidSetError('steal takes exclusive resources only');
}

/** A set takes units of a resource that has none. `name` as snapshots have it. */
export function noCapacity(name: string): CapacityError {
  return new CapacityError(
    `resource ${describe(name)} has no capacity: declare it by setCapacity(), or in the set by ` +
      '{ take, of }',
  );
}

export function overCapacity(name: string, units: number, capacity: number): CapacityError {
  return new CapacityError(
    `resource ${describe(name)} has ${capacity} units: ${units} can never be taken at once`,
  );
}

/** A set asserts another capacity than the one in force; 0 without one. */
export function otherCapacity(name: string, asserted: number, capacity: number): CapacityError {
  const actual = capacity === 0 ? 'is in use without a capacity' : `has ${capacity} units`;
  return new CapacityError(
    `resource ${describe(name)} ${actual}, and the set asserts ${asserted}: use one capacity ` +
      'everywhere',
  );
}

/** A smaller capacity was declared while the request waited. `of`: of which resource, if known. */
export function capacityReduced(of?: { readonly name: string; readonly capacity: number }) {
  const what = of === undefined ? 'a resource' : `resource ${describe(of.name)}`;
  const now = of === undefined ? 'fewer units than the set takes' : `${of.capacity} units`;
  return new CapacityError(`${what} has ${now} now: the request can never be granted`);
}

export function unitsInUse(name: string): CapacityError {
  return new CapacityError(
    `units of resource ${describe(name)} are in use and keep their names: add or remove names at ` +
      'the end of the list only',
  );
}

/** A downgrade to more units than the grant holds. */
export function notFewer(name: string, units: number, held: number): InvalidSetError {
  return new InvalidSetError(
    `a downgrade leaves at most as many units as before: ${units} of ${describe(name)}, and the ` +
      `grant holds ${held}`,
  );
}

export function numbersDoNotFit(): LimitError {
  return new LimitError('no memory is left for the numbers of units: release some sets');
}

export function lacksUnits(backend: string): UnsupportedError {
  return new UnsupportedError(
    `the backend ${backend} has no units of resources: see domain.capabilities`,
  );
}

export function partNotHeld(token: number): InvalidSetError {
  return new InvalidSetError(`grant ${token} does not hold all of that part: nothing is done`);
}

/** `missing`: the part of the nested set that the grant does not hold. */
export function setNotCovered(token: number, missing: NamedSet): InvalidSetError {
  return new InvalidSetError(
    `grant ${token} does not hold ${describeSet(missing)}: name it in the set of that grant`,
  );
}

/** Of a nested request, or the grant that came of it. */
export function outerGrantEnded(token: number): GrantLostError {
  return new GrantLostError(
    `grant ${token} around it was released, in whole or in part, or lost: ` +
      'await nested requests before that',
  );
}

/**
 * A peer, or stored state, is of another version. `found` is undefined for one that states none:
 * versions began at 2.
 */
export function versionMismatch(
  peer: string,
  found: number | undefined,
  own: number,
  advice: string,
): ProtocolError {
  const version = found === undefined ? 'version 1 or earlier' : `version ${found}`;
  const mismatch = `${peer} is of ${version}, and this copy of kds uses version ${own}`;
  return new ProtocolError(`version mismatch: ${mismatch}: ${advice}`);
}
