/** The fence of `fence.lua`, the file that users put before their own scripts. */

import { text as fenceText } from '../../src/backends/redis/lua/fence.lua';
import type { Fence } from '../fenced-store.ts';
import { runCommand } from './commands.ts';
import { Keyspace } from './keyspace.ts';
import type { LuaMachine } from './lua.ts';
import { toBytes } from './wire.ts';

const users = {
  x: "if not kds_fence(KEYS[1], ARGV[1], 'exclusive') then return 'stale' end return 'done'",
  s: "if not kds_fence(KEYS[1], ARGV[1], 'shared') then return 'stale' end return 'done'",
} as const;

/** On a server of its own. */
export function luaFence(lua: LuaMachine): Fence {
  const keyspace = new Keyspace();
  const scripts = {
    x: lua.compile(toBytes(`${fenceText}\n${users.x}`)),
    s: lua.compile(toBytes(`${fenceText}\n${users.s}`)),
  };
  return (name, token, mode) => {
    const reply = lua.run(scripts[mode], [`fence:${name}`], [String(token)], (words) =>
      runCommand({ keyspace, nowUs: 0, publish: () => 0 }, words),
    );
    keyspace.commit();
    return reply === 'done';
  };
}
