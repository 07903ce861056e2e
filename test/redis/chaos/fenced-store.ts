/**
 * What the clients of a chaos run read and write under their grants: on a server of its own that no
 * fault befalls, by a script that lets `kds_fence` decide, and that keeps a log of what came of it.
 */

import type { Redis } from 'ioredis';
import { text as fence } from '../../../src/backends/redis/lua/fence.lua';
import type { NamedSets } from '../../stress/journal.ts';

interface Access {
  readonly token: number;
  readonly isWrite: boolean;
  readonly isAccepted: boolean;
}

export type StoreLog = ReadonlyMap<string, readonly Access[]>;

/** KEYS: fence, value and log of each name. ARGV: the token; 'w' or 'r' for each name. */
const script = `${fence}
for index = 2, #ARGV do
  local at = (index - 2) * 3
  local mode = ARGV[index]
  local accepted = kds_fence(KEYS[at + 1], ARGV[1], mode == 'w' and 'exclusive' or 'shared')
  if accepted and mode == 'w' then
    redis.call('SET', KEYS[at + 2], ARGV[1])
  end
  redis.call('RPUSH', KEYS[at + 3], ARGV[1] .. ' ' .. mode .. ' ' .. (accepted and '1' or '0'))
end
return 'done'`;

export class FencedStore {
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /** Writes what is held exclusively, reads what is held shared; stale or not. */
  async access(token: number, { exclusive, shared }: NamedSets): Promise<void> {
    const names = [...exclusive, ...shared];
    if (names.length === 0) return;
    const keys = names.flatMap((name) => [`fence:${name}`, `value:${name}`, `log:${name}`]);
    const modes = [...exclusive.map(() => 'w'), ...shared.map(() => 'r')];
    await this.#redis.eval(script, keys.length, ...keys, String(token), ...modes);
  }

  async readLog(): Promise<StoreLog> {
    const log = new Map<string, readonly Access[]>();
    for (const key of await this.#redis.keys('log:*')) {
      const lines = await this.#redis.lrange(key, 0, -1);
      log.set(key.slice('log:'.length), lines.map(readAccess));
    }
    return log;
  }
}

function readAccess(line: string): Access {
  const [token, mode, accepted] = line.split(' ');
  return { token: Number(token), isWrite: mode === 'w', isAccepted: accepted === '1' };
}

export interface StoreFindings {
  readonly faults: readonly string[];
  readonly acceptedCount: number;
  readonly refusedCount: number;
}

/**
 * A write is stale once any later grant has been seen, a read once a later write has. None may be
 * accepted; and who still holds a grant may not be refused.
 */
export function checkStoreLog(log: StoreLog, wasLost: (token: number) => boolean): StoreFindings {
  const faults: string[] = [];
  let acceptedCount = 0;
  let refusedCount = 0;
  for (const [name, accesses] of log) {
    let lastSeen = 0;
    let lastWritten = 0;
    for (const { token, isWrite, isAccepted } of accesses) {
      const does = isWrite ? 'a write' : 'a read';
      const isStale = token < (isWrite ? lastSeen : lastWritten);
      if (!isAccepted) {
        refusedCount++;
        if (!wasLost(token))
          faults.push(`${does} of ${name} was refused to a live holder, ${token}`);
        continue;
      }
      acceptedCount++;
      if (isStale) faults.push(`${does} of ${name} was stale, and accepted: ${token}`);
      lastSeen = Math.max(lastSeen, token);
      if (isWrite) lastWritten = Math.max(lastWritten, token);
    }
  }
  return { faults, acceptedCount, refusedCount };
}
