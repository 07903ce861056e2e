/**
 * Grants that this process was started under: `kds run` and `kds batch` pass them on by KDS_UNDER
 * to the commands that they start, and so does each of those.
 *
 * A holder of such a grant waits for its command, and so for this process. So each set that this
 * process requests, on any backend, is requested while those grants are kept: what would wait for
 * their end is refused. Each backend knows its own grants among them, and ignores the others.
 */

import type { Grant } from './grant.ts';

/** Outer grants of one process, at most: the depth of `kds run` within `kds run`. */
export const outerGrantCountMax = 64;

/** A grant of another client, which waits for this process to end. */
export interface OuterGrant {
  readonly token: number;
  /** Of the process that holds it: a token alone might be one of another broker's. */
  readonly pid: number;
  /** Its key, where the backend is one whose sessions have names that no other one has. */
  readonly key?: RequestKey;
}

/** What a backend that machines share finds a request by, in whatever client. */
export interface RequestKey {
  /** A name that no session of any domain has but this one. */
  readonly session: string;
  readonly number: number;
}

/** Hexadecimal digits on etcd, base64url and a number on Redis. */
const sessionName = /^[\w-]{1,64}(\.\d{1,15})?$/;

/** Of the environment, the outermost first. Anything but such a list counts as an empty one. */
export function outerGrants(env: NodeJS.ProcessEnv = process.env): readonly OuterGrant[] {
  const { KDS_UNDER: text = '[]' } = env;
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    return [];
  }
  if (!areOuterGrants(list)) return [];
  return list.map(({ token, pid, key }) => ({ token, pid, ...(key !== undefined && { key }) }));
}

/** Those of backends that find them by a key. */
export function outerKeys(env?: NodeJS.ProcessEnv): readonly RequestKey[] {
  return outerGrants(env).flatMap(({ key }) => (key === undefined ? [] : [key]));
}

/** KDS_UNDER of a process that is started under a grant of this one. */
export function textOfOuterGrants(grant: Grant, env?: NodeJS.ProcessEnv): string {
  // By its shape: the command line loads a backend from a bundle with classes of its own.
  const { token, key } = grant as Grant & { readonly key?: unknown };
  if (key !== undefined && !isRequestKey(key)) throw new Error('a key that no process could read');
  const own = { token, pid: process.pid, ...(key !== undefined && { key }) };
  return JSON.stringify([...outerGrants(env), own].slice(-outerGrantCountMax));
}

export function areOuterGrants(list: unknown): list is readonly OuterGrant[] {
  return Array.isArray(list) && list.length <= outerGrantCountMax && list.every(isOuterGrant);
}

function isOuterGrant(value: unknown): value is OuterGrant {
  if (typeof value !== 'object' || value === null) return false;
  const { token, pid, key } = value as Partial<OuterGrant>;
  if (!Number.isSafeInteger(token) || !Number.isSafeInteger(pid)) return false;
  return key === undefined || isRequestKey(key);
}

function isRequestKey(value: unknown): value is RequestKey {
  if (typeof value !== 'object' || value === null) return false;
  const { session, number } = value as Partial<RequestKey>;
  return (
    typeof session === 'string' &&
    sessionName.test(session) &&
    Number.isSafeInteger(number) &&
    (number as number) >= 0
  );
}
