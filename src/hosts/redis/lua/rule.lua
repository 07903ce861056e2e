-- The rule: a set is granted exactly when no live set that arrived earlier conflicts with it.
--
-- In the queue of each name stand first the links that are triggered (t:), one exclusive or any
-- number of shared ones, then those that wait (w:), both by arrival. A set is granted when none of
-- its links is pending. `mayTrigger` decides, `advance` walks on; nothing else triggers, so the
-- first link that waits is never one that need not. However a link leaves, or weakens, `advance`
-- follows: a cancelled writer lets through the readers behind it, and nobody is woken too early.
--
-- It is the algorithm of src/core/queue.ts, and costs the same: O(links that leave + links that
-- are triggered), each times the logarithm of a queue.

local function isShared(link)
  return string.sub(link, 1, 1) == 's'
end

local function setOf(link)
  return string.sub(link, 2)
end

-- `mode, name` of each link.
local function eachLink(links)
  return string.gmatch(links, '([xs])([^\n]*)\n')
end

-- Whether the first link that waits is in nobody's shadow; `front` is a triggered one, if any.
local function mayTrigger(link, front)
  return not front or (isShared(link) and isShared(front))
end

-- Sets whose last link was triggered; they are granted when the script ends.
local ripe = {}

-- False if there is no such set, so that its link is of no use.
local function countDown(id)
  local left = try('HINCRBY', root .. 'q:' .. id, 'pending', -1)
  if left == 0 then
    ripe[#ripe + 1] = id
  elseif left and left < 0 then
    call('DEL', root .. 'q:' .. id)
    return false
  end
  return left ~= nil
end

-- Ends the watches for which nothing older is left; `oldest` is the arrival of what is, if any.
local function settleAll(eyes, oldest)
  local limit = oldest and '(' .. oldest or '+inf'
  for _, id in ipairs(try('ZRANGEBYSCORE', eyes, '-inf', limit) or {}) do
    try('ZREM', eyes, id)
    countDown(id)
  end
end

local function settle(name)
  local front = try('ZRANGE', root .. 't:' .. name, 0, 0, 'WITHSCORES') or {}
  local behind = try('ZRANGE', root .. 'w:' .. name, 0, 0, 'WITHSCORES') or {}
  settleAll(root .. 'ox:' .. name, front[2])
  -- Behind links that are shared and triggered, the first that waits is exclusive.
  local exclusive = front[1] and isShared(front[1]) and behind or front
  settleAll(root .. 'os:' .. name, exclusive[2])
end

-- Most often no name has a mark and nobody observes: one look tells both.
local isMarked, isWatched
local function lookAside()
  if isMarked == nil then
    local isAny = try('EXISTS', root .. 'recovered', root .. 'watch') ~= 0
    isMarked = isAny and try('EXISTS', root .. 'recovered') == 1
    isWatched = isAny and try('EXISTS', root .. 'watch') == 1
  end
end

local function advance(name)
  local waiting, triggered = root .. 'w:' .. name, root .. 't:' .. name
  local first = (try('ZRANGE', waiting, 0, 0) or {})[1]
  while first do
    local front = try('ZRANGE', triggered, 0, 0)
    if not front or not mayTrigger(first, front[1]) then
      break
    end
    local id = setOf(first)
    call('ZREM', waiting, first)
    if countDown(id) then
      call('ZADD', triggered, id, first)
    end
    first = call('ZRANGE', waiting, 0, 0)[1]
  end
  lookAside()
  if isWatched then
    settle(name)
  end
end

-- Names that a link has left, or become weaker on: their queues move on when the script ends.
local touched, isTouched = {}, {}
local function touch(name)
  if not isTouched[name] then
    isTouched[name] = true
    touched[#touched + 1] = name
  end
end

-- An exclusive holder lets go of a name: it 'died', it is 'done', or it was granted 'unheard'.
local function mark(name, fate)
  lookAside()
  if fate == 'died' then
    isMarked = true
    try('SADD', root .. 'recovered', name)
  elseif fate == 'done' and isMarked then
    try('SREM', root .. 'recovered', name)
  end
end

-- Its caller keeps nothing for it any more.
local function unkeep(id, keeps)
  for held in string.gmatch(keeps or '', '%d+') do
    try('SREM', root .. 'k:' .. held, id)
  end
end

-- Of a set's names, those with a mark; each after a tab.
local function recoveredOf(links)
  local found = ''
  lookAside()
  if isMarked then
    for _, name in eachLink(links) do
      if try('SISMEMBER', root .. 'recovered', name) == 1 then
        found = found .. '\t' .. name
      end
    end
  end
  return found
end

-- Ends a live set, however it stands. Its queues move on when the script ends.
local function remove(id, fate)
  local key = root .. 'q:' .. id
  local set = try('HMGET', key, 'session', 'links', 'token', 'keeps', 'watch') or {}
  local session, links, token, keeps, watch = set[1], set[2], set[3], set[4], set[5]
  if not links then
    return nil
  end
  call('DEL', key, root .. 'k:' .. id)
  try('ZREM', root .. 'l:' .. session, id)
  unkeep(id, keeps)
  if watch then
    try('SREM', root .. 'watch', id)
  end
  for mode, name in eachLink(links) do
    if watch then
      try('ZREM', root .. 'o' .. mode .. ':' .. name, id)
    else
      if try('ZREM', root .. 't:' .. name, mode .. id) ~= 1 then
        try('ZREM', root .. 'w:' .. name, mode .. id)
      end
      if token and mode == 'x' then
        mark(name, fate)
      end
      touch(name)
    end
  end
  return session
end

-- Moves on all queues that were touched, and grants in the order of arrival.
local function settleUp()
  for _, name in ipairs(touched) do
    advance(name)
  end
  if not ripe[1] then
    return
  end
  table.sort(ripe, function(one, other) return tonumber(one) < tonumber(other) end)
  for _, id in ipairs(ripe) do
    local set = call('HMGET', root .. 'q:' .. id, 'session', 'number', 'links', 'keeps', 'watch')
    unkeep(id, set[4])
    if set[5] then
      call('HSET', root .. 'q:' .. id, 'token', '0')
      call('SREM', root .. 'watch', id)
      tell(set[1], 'settled\t' .. set[2])
    else
      local token = nextNumber()
      call('HSET', root .. 'q:' .. id, 'token', token, 'since', text(nowMs()))
      tell(set[1], table.concat({ 'granted', set[2], id, token }, '\t') .. recoveredOf(set[3]))
    end
  end
end
