-- The life of a session: its lease begins, goes on, or ends; and those whose lease has ended are
-- cleared away, a bounded number of sets at a time.
--
-- ARGV[2]  what: 'open'; 'renew'; 'close', in good order; 'abandon': close, as if it had died
-- ARGV[3]  lease, in ms, from now
-- ARGV[4]  description of the client, for people
-- ARGV[5]  version of the layout of these keys (state.lua)
--
-- Answers  alive, count of its notifications, greatest number it has called with, 'more' or ''
--          expired      there is no such session
--          closed, 'more' or ''
--          version, that of the other sessions or '': no session was opened
-- `more`: the next call clears away or renews the rest. A session whose lease has ended but that no
-- call has cleared away goes on, as nothing that it holds was given to others; but not later than a
-- lease after that, as its keys expire.

local setsMax = 256
local budget, linksLeft = setsMax, 1024
local key, what, leaseMs = root .. 's:' .. caller, ARGV[2], tonumber(ARGV[3])

-- Whether keys of a dead session expired before it was cleared away.
local hasExpired
local function forget(session)
  if call('DEL', root .. 's:' .. session, root .. 'l:' .. session) == 0 then
    hasExpired = true
  end
  call('ZREM', root .. 'sessions', session)
end

-- Removes sets of a session while the budget lasts; those that wait first, as none of them is to be
-- granted what another one leaves. True if none is left.
local function clear(session, outcome)
  local ids = demand('ZRANGEBYSCORE', root .. 'l:' .. session, 1, '+inf', 'LIMIT', 0,
    budget + 1)
  local held, count = {}, 0
  for index = 1, math.min(#ids, budget) do
    if linksLeft <= 0 then
      break
    end
    count = index
    local set = demand('HMGET', root .. 'q:' .. ids[index], 'token', 'links')
    linksLeft = linksLeft - select(2, string.gsub(set[2] or '', '\n', ''))
    if set[1] then
      held[#held + 1] = ids[index]
    elseif not remove(ids[index], outcome) then
      call('ZREM', root .. 'l:' .. session, ids[index])
    end
  end
  for _, id in ipairs(held) do
    remove(id, outcome)
  end
  budget = budget - count
  if count == #ids then
    forget(session)
  end
  return count == #ids
end

-- The session that would be the last to end, and when.
local function lastSession()
  return unpack(demand('ZREVRANGE', root .. 'sessions', 0, 0, 'WITHSCORES'))
end

local function leaseOf(session)
  return tonumber(session and demand('HGET', root .. 's:' .. session, 'lease') or '0')
end

-- Clears away dead sessions. False if some are left.
local function sweep()
  local isClean = true
  local now = text(nowMs())
  local ended = demand('ZRANGEBYSCORE', root .. 'sessions', '-inf', now, 'LIMIT', 0, setsMax)
  for _, session in ipairs(ended) do
    if budget <= 0 or linksLeft <= 0 or not clear(session, 'died') then
      isClean = false
      break
    end
  end
  -- If the server's clock was set back, a lease would last by as much longer.
  local last, untilMs = lastSession()
  local limitMs = nowMs() + leaseOf(last)
  if last and tonumber(untilMs) > limitMs then
    call('ZADD', root .. 'sessions', text(limitMs), last)
    call('HSET', root .. 's:' .. last, 'until', text(limitMs))
  end
  return isClean and #ended < setsMax
end

-- Renews the keys of one of the caller's sets; where it waits, what before it has expired is
-- removed. Returns its number of links.
local isRenewed = {}
local function renewSet(id)
  local set = demand('HMGET', root .. 'q:' .. id, 'links', 'token', 'keeps', 'observe')
  local count = 0
  try('PEXPIRE', root .. 'q:' .. id, lifetimeMs)
  for held in string.gmatch(set[3] or '', '%d+') do
    extend(root .. 'k:' .. held)
  end
  if set[4] then
    extend(root .. 'observers')
  end
  for units, name in eachLink(set[1] or '') do
    count = count + 1
    local kind = set[4] and 'o' .. units or set[2] and 't' or 'w'
    if not isRenewed[kind .. name] then
      isRenewed[kind .. name] = true
      extend(root .. (kind == 'w' and 't' or kind) .. ':' .. name)
      if kind == 'w' then
        extend(root .. 'w:' .. name)
      end
      if kind ~= 't' then
        dropExpired(name, (try('ZRANGE', root .. 't:' .. name, 0, 0) or {})[1])
        markDirty(name)
      end
    end
  end
  return count
end

-- Renews the keys of the caller's sets, once in a lease, a bounded number in a call: those up to
-- the number `upTo` are done since `atMs`. Returns these two; '' for all of them.
local function renew(atMs, upTo)
  if upTo == '' then
    if nowMs() < atMs + leaseMs then
      return atMs, ''
    end
    atMs, upTo = nowMs(), '0'
  end
  local ids = demand('ZRANGEBYSCORE', root .. 'l:' .. caller, '(' .. upTo, '+inf', 'LIMIT', 0,
    setsMax, 'WITHSCORES')
  local left = 1024
  for index = 1, #ids, 2 do
    if left <= 0 then
      return atMs, upTo
    end
    left = left - renewSet(ids[index])
    upTo = ids[index + 1]
  end
  return atMs, #ids < 2 * setsMax and '' or upTo
end

-- Also what calls of others have left.
local function goOnLater()
  checkRareKeys()
  drain()
end

demand('SCARD', root .. 'recovered')
demand('ZCARD', root .. 'sessions')
local known = demand('HMGET', key, 'notified', 'top', 'until', 'renewedAt', 'renewedUpTo')
local last = lastSession()
if what == 'open' and last then
  -- All sessions are of one version, as each was compared with one that was there.
  local other = demand('HMGET', root .. 's:' .. last, 'lease', 'version')
  if other[1] and other[2] ~= ARGV[5] then
    return finish({ 'version', other[2] or '' })
  end
end
setLifetime(text(6 * math.max(leaseMs, leaseOf(last))))

if what == 'close' or what == 'abandon' then
  local isAll = clear(caller, what == 'abandon' and 'died' or 'done')
  goOnLater()
  return finish({ 'closed', isAll and unfinished or 'more' })
end
local isOver = known[2] and tonumber(known[3]) + leaseMs < nowMs()
local upTo = ''
if what == 'open' or (known[2] and not isOver) then
  local untilMs, atMs = text(nowMs() + leaseMs), nil
  -- A server short of memory refuses a script that begins with what takes some, and no other.
  call('ZREM', root .. 'sessions', caller)
  atMs, upTo = renew(tonumber(known[4] or '0'), known[5] or '')
  call('HSET', key, 'until', untilMs, 'lease', text(leaseMs), 'about', ARGV[4],
    'lifetime', lifetimeMs, 'renewedAt', text(atMs), 'renewedUpTo', upTo)
  call('ZADD', root .. 'sessions', untilMs, caller)
  call('ZADD', root .. 'l:' .. caller, 0, '-')
  call('PEXPIRE', key, lifetimeMs)
  call('PEXPIRE', root .. 'l:' .. caller, lifetimeMs)
  -- It outlives the keys of each session, so that expired sessions are found in it.
  extend(root .. 'sessions', tonumber(lifetimeMs))
  if not known[2] then
    call('HSET', key, 'notified', '0', 'top', '0', 'version', ARGV[5])
  end
end
local isClean = sweep() and upTo == ''
if hasExpired and known[2] and not isOver then
  -- Some of the caller's sets may be next where that session had links.
  call('HSET', key, 'renewedAt', '0')
  isClean = false
end
goOnLater()
if (not known[2] or isOver) and what ~= 'open' then
  return finish({ 'expired' })
end
return finish({ 'alive', known[1] or '0', known[2] or '0', isClean and unfinished or 'more' })
