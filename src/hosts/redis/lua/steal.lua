-- Takes names from whoever has them: those who hold are removed as if they had died, and told so;
-- those who wait, but stood triggered there, stand behind the thief from now on.

local holdersMax = 256

local function robOf(links, name)
  local robbedCount = 0
  for _, link in ipairs(links) do
    local id = setOf(link)
    local set = call('HMGET', root .. 'q:' .. id, 'token', 'session', 'number')
    if set[1] then
      remove(id, 'died')
      tell(set[2], 'lost\t' .. set[3])
      robbedCount = robbedCount + 1
    elseif name then
      call('ZREM', root .. 't:' .. name, link)
      call('ZADD', root .. 'w:' .. name, id, link)
      call('HINCRBY', root .. 'q:' .. id, 'pending', 1)
    end
  end
  return robbedCount
end

local function rob(links)
  for _, name in eachLink(links) do
    robOf(call('ZRANGE', root .. 't:' .. name, 0, -1), name)
  end
end

-- Of a name that more hold than one call may rob: some, so that others hold it yet, and nobody who
-- waits is granted it before the thief asks again. False if there is no such name.
local function robSome(links)
  for _, name in eachLink(links) do
    local triggered = root .. 't:' .. name
    if demand('ZCARD', triggered) > holdersMax then
      if robOf(demand('ZRANGE', triggered, 0, holdersMax / 2 - 1)) > 0 then
        return true
      end
    end
  end
  return false
end
