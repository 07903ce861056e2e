/** The message of a GrantLostError. */

import { GrantLostError } from '../api/errors.ts';

const taken = 'was taken away, abandoned, or ended with its session, domain or broker';

export function lostError(token: number, how = taken): GrantLostError {
  const advice = how === taken ? ': stop using what it protected' : '';
  return new GrantLostError(`grant ${token} ${how}${advice}`);
}
