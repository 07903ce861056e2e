/**
 * Faults to put into the Redis host by hand, each of which the simulation must notice: the text to
 * find in a file of src/backends/redis, which must be there exactly once, and what to put in its
 * place.
 */

import type { ProfileName } from '../../sim/redis/fault-profile.ts';

export interface Fault {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Where it does harm soon; in any world, if not given. */
  readonly profile?: ProfileName;
}

export const redisFaults: readonly Fault[] = [
  {
    name: 'a writer is granted beside a reader',
    file: 'lua/rule.lua',
    find: 'return not front or not (takesAll(link) or takesAll(front))',
    replace: 'return not front or not takesAll(front)',
  },
  {
    name: 'a reader is granted beside a writer',
    file: 'lua/rule.lua',
    find: 'return not front or not (takesAll(link) or takesAll(front))',
    replace: 'return not front or not takesAll(link)',
  },
  {
    name: 'a request overtakes those that wait',
    file: 'lua/enqueue.lua',
    find: "waits = demand('ZCARD', root .. 'w:' .. name) > 0",
    replace: 'waits = false',
  },
  {
    name: 'the last who waits is the first to be let through',
    file: 'lua/rule.lua',
    find: "local first = (try('ZRANGE', waiting, 0, 0) or {})[1]",
    replace: "local first = (try('ZRANGE', waiting, -1, -1) or {})[1]",
  },
  {
    name: 'a cancelled writer lets nobody through',
    file: 'lua/rule.lua',
    find: "        try('ZREM', root .. 'w:' .. name, units .. id)\n",
    replace:
      "        try('ZREM', root .. 'w:' .. name, units .. id)\n        isDirty[name] = true\n",
  },
  {
    name: 'readers do not raise the fence',
    file: 'lua/fence.lua',
    find: 'if number > seen then',
    replace: 'if number > seen and not isShared then',
    profile: 'parted',
  },
  {
    name: 'the fence lets stale writers by',
    file: 'lua/fence.lua',
    find: 'if number < (isShared and written or seen) then',
    replace: 'if number < 0 then',
  },
  {
    name: 'a wake-up is lost for good, as no heartbeat asks for it',
    file: 'session-keeper.ts',
    find: 'if (!this.session.isAuditDue && !server.hasMissed(notifiedCount, numberTop)) return;',
    replace: 'if (numberTop >= 0) return;',
  },
  {
    name: 'a request that is repeated is queued twice',
    file: 'lua/enqueue.lua',
    find: 'if tonumber(number) <= top then',
    replace: 'if false then',
  },
  {
    name: 'the guard counts more than the lease',
    file: 'leased-session.ts',
    find: '      leaseMs,\n      isMoreDue',
    replace: '      leaseMs: leaseMs * 1.45,\n      isMoreDue',
    profile: 'parted',
  },
  {
    name: 'the guard counts from when the heartbeat was answered',
    file: 'leased-session.ts',
    find: '      sentMs,\n      leaseMs,',
    replace: '      sentMs: clock.nowMs() + sentMs - sentMs,\n      leaseMs,',
    profile: 'drowsy',
  },
  {
    name: 'a session that is unknown is let in',
    file: 'lua/state.lua',
    find: '  if not found[1] or tonumber(found[1]) <= nowMs() then\n    return nil\n',
    replace: '  if not found[1] then\n    return { untilMs = 0, top = 0 }\n',
  },
  {
    name: 'no heartbeat sweeps what dead sessions have left',
    file: 'lua/heartbeat.lua',
    find: 'local isClean = sweep()',
    replace: 'local isClean = true',
  },
  {
    name: 'tokens are counted, and forget the time',
    file: 'lua/state.lua',
    find: 'numberLast = math.max(numberLast + 1, nowUs())',
    replace: 'numberLast = numberLast + 1',
    profile: 'failing',
  },
  {
    name: 'a grant that the server has never known is kept',
    file: 'audit.ts',
    find: 'if (isMissing(key.number)) receiver.lost(grant.id);',
    replace: 'if (isMissing(-key.number)) receiver.lost(grant.id);',
    profile: 'failing',
  },
  {
    name: 'a grant that the server has given once more is kept by its old token',
    file: 'audit.ts',
    find: 'if (token === String(grant.token)) return;',
    replace: "if (token !== '') return;",
    profile: 'failing',
  },
  {
    name: 'a grant that nobody here knows of is left with the server',
    file: 'audit.ts',
    find: 'if (id === undefined) receiver.giveBackNumber(session, number);',
    replace: 'void session;',
    profile: 'failing',
  },
  {
    name: 'a new connection is taken for one to the same server',
    file: 'session-keeper.ts',
    find: 'this.session.isAuditDue = true;\n    this.session.heartbeatNow();',
    replace: 'this.session.heartbeatNow();',
    profile: 'failing',
  },
  {
    name: 'what is cancelled may come late, and begin',
    file: 'lua/change.lua',
    find: 'if tonumber(ARGV[2]) > tonumber(top) then',
    replace: 'if false then',
    profile: 'drowsy',
  },
  {
    name: 'a steal from the first number takes the second too',
    file: 'receiver.ts',
    find: "    pending.state = 'due';\n    pending.isRevoked = false;\n",
    replace: "    pending.state = 'due';\n",
    profile: 'drowsy',
  },
];
