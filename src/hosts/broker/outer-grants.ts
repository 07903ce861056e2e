/**
 * Grants that this process was started under: `kds run` and `kds batch` tell their commands by
 * KDS_UNDER, who are told by all clients that they start, and so on.
 *
 * Whoever holds them waits for the command, which waits for this process. So each set that it asks
 * for is asked for while they are kept, and the broker refuses what would wait for their end.
 */

import { outerGrantCountMax } from './limits.ts';
import type { OuterGrant } from './messages.ts';

/** Of the environment, the outermost first. What is no such list is nothing. */
export function outerGrants(env: NodeJS.ProcessEnv = process.env): readonly OuterGrant[] {
  const { KDS_UNDER: told = '[]' } = env;
  let list: unknown;
  try {
    list = JSON.parse(told);
  } catch {
    return [];
  }
  if (!areOuterGrants(list)) return [];
  return list.map(({ token, pid }) => ({ token, pid }));
}

/** What to tell a process that is started under a grant of this one, as KDS_UNDER. */
export function textOfOuterGrants(token: number, env?: NodeJS.ProcessEnv): string {
  const grants = [...outerGrants(env), { token, pid: process.pid }];
  return JSON.stringify(grants.slice(-outerGrantCountMax));
}

export function areOuterGrants(list: unknown): list is readonly OuterGrant[] {
  return Array.isArray(list) && list.length <= outerGrantCountMax && list.every(isOuterGrant);
}

function isOuterGrant(value: unknown): value is OuterGrant {
  if (typeof value !== 'object' || value === null) return false;
  const { token, pid } = value as Partial<OuterGrant>;
  return Number.isSafeInteger(token) && Number.isSafeInteger(pid);
}
