-- The life of a session: its lease begins, goes on, or ends; and those whose lease has ended are
-- cleared away, a bounded number of sets at a time.
--
-- ARGV[2]  what: 'open'; 'renew'; 'close', in good order; 'abandon': close, as if it had died
-- ARGV[3]  lease, in ms, from now
-- ARGV[4]  who the client is, for people
--
-- Answers  alive, news it has had so far, greatest number it has called with, 'more' or ''
--          expired      there is no such session
--          closed, 'more' or ''
-- More is to be cleared away, by the next call. A session whose lease has ended but that nobody has
-- cleared away goes on, as nothing that it holds was given to anybody.

local setsMax = 256
local budget, linksLeft = setsMax, 1024
local key, what, leaseMs = root .. 's:' .. caller, ARGV[2], tonumber(ARGV[3])

local function forget(session)
  call('DEL', root .. 's:' .. session, root .. 'l:' .. session)
  call('ZREM', root .. 'sessions', session)
end

-- Removes sets of a session while the budget lasts; those that wait first, as none of them is to be
-- granted what another one leaves. True if none is left.
local function clear(session, fate)
  local ids = demand('ZRANGE', root .. 'l:' .. session, 0, budget)
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
    elseif not remove(ids[index], fate) then
      call('ZREM', root .. 'l:' .. session, ids[index])
    end
  end
  for _, id in ipairs(held) do
    remove(id, fate)
  end
  budget = budget - count
  if count == #ids then
    forget(session)
  end
  return count == #ids
end

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
  local last = demand('ZREVRANGE', root .. 'sessions', 0, 0, 'WITHSCORES')
  if last[1] then
    local lease = tonumber(demand('HGET', root .. 's:' .. last[1], 'lease') or '0')
    if tonumber(last[2]) > nowMs() + lease then
      call('ZADD', root .. 'sessions', text(nowMs() + lease), last[1])
      call('HSET', root .. 's:' .. last[1], 'until', text(nowMs() + lease))
    end
  end
  return isClean and #ended < setsMax
end

-- Also what calls of others have left.
local function goOnLater()
  lookAside()
  settleUp()
end

demand('SCARD', root .. 'recovered')
demand('ZCARD', root .. 'sessions')
local known = demand('HMGET', key, 'told', 'top')

if what == 'close' or what == 'abandon' then
  local isAll = clear(caller, what == 'abandon' and 'died' or 'done')
  goOnLater()
  return finish({ 'closed', isAll and unfinished or 'more' })
end
if known[2] or what == 'open' then
  local untilMs = text(nowMs() + leaseMs)
  -- A server short of memory refuses a script that begins with what takes some, and no other.
  call('ZREM', root .. 'sessions', caller)
  call('HSET', key, 'until', untilMs, 'lease', text(leaseMs), 'about', ARGV[4])
  call('ZADD', root .. 'sessions', untilMs, caller)
  if not known[2] then
    call('HSET', key, 'told', '0', 'top', '0')
  end
end
local isClean = sweep()
goOnLater()
if not known[2] and what ~= 'open' then
  return finish({ 'expired' })
end
return finish({ 'alive', known[1] or '0', known[2] or '0', isClean and unfinished or 'more' })
