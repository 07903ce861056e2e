-- Takes names from whoever has them: those who hold are removed as if they had died, and told so;
-- those who wait, but stood triggered there, stand behind the thief from now on.

local holdersMax = 256

-- `waiting`: where links go that are triggered, and whose sets are not granted; nil: they stay.
local function robOf(links, triggered, waiting)
  local robbedCount = 0
  for _, link in ipairs(links) do
    local id = setOf(link)
    local set = call('HMGET', root .. 'q:' .. id, 'token', 'session', 'number')
    if set[1] then
      remove(id, 'died')
      tell(set[2], 'lost\t' .. set[3])
      robbedCount = robbedCount + 1
    elseif not set[2] then
      -- The set has expired.
      call('ZREM', triggered, link)
      robbedCount = robbedCount + 1
    elseif waiting then
      move(triggered, waiting, false, id, link)
      call('HINCRBY', root .. 'q:' .. id, 'pending', 1)
    end
  end
  return robbedCount
end

local function rob(links)
  for _, name in eachLink(links) do
    local triggered = root .. 't:' .. name
    robOf(call('ZRANGE', triggered, 0, -1), triggered, root .. 'w:' .. name)
  end
end

-- Of a name that more hold than one call may rob: some, so that others hold it yet, and nobody who
-- waits is granted it before the thief asks again. False if there is no such name.
local function robSome(links)
  for _, name in eachLink(links) do
    local triggered = root .. 't:' .. name
    if demand('ZCARD', triggered) > holdersMax then
      if robOf(demand('ZRANGE', triggered, 0, holdersMax / 2 - 1), triggered) > 0 then
        return true
      end
    end
  end
  return false
end
