/** For domains: errors that local and remote ones throw for the same reason. */

import { DomainClosedError, GrantLostError, InvalidSetError, ProtocolError } from './errors.ts';
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
