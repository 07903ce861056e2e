-- Holding while waiting: would a set that is about to wait be waited for by its own caller?
--
-- A waiting set waits for the older ones that conflict with it; a granted one is kept until those
-- waiting sets are granted whose callers have declared that they keep it (k:). Only a set that
-- arrives with such a declaration can close a cycle (docs/invariants.md). The walk takes each
-- position of a queue once, and gives up after `cycleLinksMax`: the server does nothing else
-- meanwhile.

local cycleLinksMax = 10000

-- Ids of those requests that are granted: the caller's by number, others' by session/number.
local function heldAmong(requests)
  local held = {}
  for request in string.gmatch(requests, '%S+') do
    local session, number = string.match(request, '^(.*)/(%d+)$')
    local id = idOf(session or caller, number or request)
    if id and demand('HGET', root .. 'q:' .. id, 'token') then
      demand('SCARD', root .. 'k:' .. id)
      held[#held + 1] = id
    end
  end
  return held
end

local passed, passedCount = {}, 0

-- Adds those ahead of a link that conflict with it, as far as an exclusive one, which itself waits
-- for all that are ahead of it. A shared one that was passed has led there already.
local function aheadOf(units, name, arrival, found)
  local function walk(links)
    for _, link in ipairs(links) do
      passedCount = passedCount + 1
      local isWhole = takesAll(link)
      if units == ALL or isWhole then
        found[#found + 1] = setOf(link)
      end
      if isWhole or (units ~= ALL and passed[link .. name]) then
        return false
      end
      if units ~= ALL then
        passed[link .. name] = true
      end
    end
    return #links > 0
  end
  local waiting, limit = root .. 'w:' .. name, arrival
  while passedCount <= cycleLinksMax do
    local links = demand('ZREVRANGEBYSCORE', waiting, '(' .. limit, '-inf', 'LIMIT', 0, 64)
    if #links == 0 then
      walk(demand('ZRANGE', root .. 't:' .. name, 0, cycleLinksMax))
      return
    end
    if not walk(links) then
      return
    end
    limit = setOf(links[#links])
  end
end

-- The sets that a set waits for, or that it is kept for.
local function nextOf(id)
  local set = demand('HMGET', root .. 'q:' .. id, 'token', 'links')
  if set[1] then
    return demand('SMEMBERS', root .. 'k:' .. id)
  end
  local found = {}
  for units, name in eachLink(set[2] or '') do
    -- Where its link is triggered it waits for no set.
    if not demand('ZSCORE', root .. 't:' .. name, units .. id) then
      aheadOf(units, name, id, found)
    end
  end
  return found
end

-- A text: id, 'held' or 'waiting', label, and links, by tabs.
local function stepOf(id)
  local set = demand('HMGET', root .. 'q:' .. id, 'token', 'label', 'links')
  return table.concat({ id, set[1] and 'held' or 'waiting', set[2] or '', set[3] }, '\t')
end

-- The answer to a set that would close a cycle, or whose cycle is too long to be found.
local function findCycle(links, isPending, keeps)
  local isKept, from, open = {}, {}, {}
  for _, id in ipairs(keeps) do
    isKept[id] = true
  end
  for units, name in eachLink(links) do
    if isPending[name] then
      aheadOf(units, name, '+inf', open)
    end
  end
  for _, id in ipairs(open) do
    from[id] = ''
  end
  while #open > 0 do
    local id = table.remove(open)
    if isKept[id] then
      local answer = {}
      while id ~= '' do
        table.insert(answer, 1, stepOf(id))
        id = from[id]
      end
      table.insert(answer, 1, 'deadlock')
      return answer
    end
    if passedCount > cycleLinksMax then
      return { 'limit' }
    end
    for _, other in ipairs(nextOf(id)) do
      if not from[other] then
        from[other] = id
        open[#open + 1] = other
      end
    end
  end
  return nil
end
