/**
 * Errors of a server, by what they mean for the call: it may be sent again, it is refused for good,
 * or memory is at its end.
 *
 * A server that fails over, loads its data or lacks a replica answers by an error code of its own,
 * and takes the same call some time later. A script that passes such an error on puts `ERR` before
 * the code, and a server before 7.0 also the line of the script.
 */

import { KdsError, LimitError, ProtocolError, UnavailableError } from '../../api/errors.ts';
import { clusterError } from './cluster-error.ts';

/** Text before the code of an error that was raised within a script. */
const wrapping = /^(?:ERR |Error running script \(call to f_[0-9a-f]+\): |@user_script: ?\d+: )*/;

/** The server takes the call later. */
const passing: ReadonlySet<string> = new Set([
  'READONLY',
  'NOREPLICAS',
  'LOADING',
  'MASTERDOWN',
  'TRYAGAIN',
  'CLUSTERDOWN',
  'ASK',
  'BUSY',
  'MISCONF',
  'UNBLOCKED',
]);
/** The same without a code. */
const passingText = /^(?:Script killed by user|max number of clients reached)/;

/** The server refuses the call the next time too. */
const lasting: ReadonlySet<string> = new Set([
  'NOPERM',
  'NOAUTH',
  'WRONGPASS',
  'WRONGTYPE',
  'DENIED',
]);

const lacksRights = /^(?:NOPERM|NOAUTH|WRONGPASS)\b|user executing the script can't/;

/** Translates an error of a client library. */
export function errorOf(error: unknown): Error {
  if (error instanceof KdsError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const damaged = /KDS_DAMAGED (.*?)( script: .*)?$/s.exec(message)?.[1];
  if (damaged !== undefined) {
    return new ProtocolError(
      `a key of kds is damaged, or not a key of kds: ${damaged}. ` +
        'Nothing was changed: find its writer and remove it, or use another domain name',
    );
  }
  const reason = message.replace(wrapping, '');
  const code = /^[A-Z]+\b/.exec(reason)?.[0] ?? '';
  if (code === 'MOVED' || code === 'CROSSSLOT') return clusterError();
  if (code === 'OOM') return new LimitError(`redis is at the end of its memory: ${message}`);
  if (lasting.has(code) || (isFromServer(message) && !isPassing(code, reason))) {
    const advice = lacksRights.test(reason) ? '. The rights that kds needs: docs/redis.md' : '';
    return new ProtocolError(`redis refuses: ${message}${advice}`);
  }
  return new UnavailableError(`redis is unavailable, or refuses for now: ${message}`);
}

function isFromServer(message: string): boolean {
  return /^ERR\b/.test(message);
}

function isPassing(code: string, reason: string): boolean {
  return passing.has(code) || passingText.test(reason);
}
