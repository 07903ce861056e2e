-- Revokes the grants of names for a set that steals them: their sets are removed as if their
-- sessions had died, and the sessions notified; sets that wait, but were triggered there, are now
-- behind it.

local holdersMax = 256

-- `waiting`: where links go that are triggered, and whose sets are not granted; nil: they stay.
local function revokeOf(links, triggered, waiting)
  local revokedCount = 0
  for _, link in ipairs(links) do
    local id = setOf(link)
    local set = call('HMGET', root .. 'q:' .. id, 'token', 'session', 'number')
    if set[1] then
      remove(id, 'died')
      notify(set[2], 'lost\t' .. set[3])
      revokedCount = revokedCount + 1
    elseif not set[2] then
      -- The set has expired.
      call('ZREM', triggered, link)
      revokedCount = revokedCount + 1
    elseif waiting then
      move(triggered, waiting, false, id, link)
      call('HINCRBY', root .. 'q:' .. id, 'pending', 1)
    end
  end
  return revokedCount
end

local function revoke(links)
  for _, name in eachLink(links) do
    local triggered = root .. 't:' .. name
    revokeOf(call('ZRANGE', triggered, 0, -1), triggered, root .. 'w:' .. name)
  end
end

-- Of a name with more holders than one call may revoke: revokes some, so that others hold it yet,
-- and no waiting set is granted it before the stealing one asks again. False if there is no such
-- name.
local function revokeSome(links)
  for _, name in eachLink(links) do
    local triggered = root .. 't:' .. name
    if demand('ZCARD', triggered) > holdersMax then
      if revokeOf(demand('ZRANGE', triggered, 0, holdersMax / 2 - 1), triggered) > 0 then
        return true
      end
    end
  end
  return false
end
