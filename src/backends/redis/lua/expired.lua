-- Sets that have expired before anybody cleared them away: their links are removed by a session
-- that finds them in its way.

-- Removes the first links of a queue whose sets have expired; `front` is the first one, if any.
-- True if there was any; the queue moves on when the script ends.
local function dropExpired(name, front)
  local triggered, isAny = root .. 't:' .. name, false
  while front and try('EXISTS', root .. 'q:' .. setOf(front)) == 0 do
    isAny = true
    call('ZREM', triggered, front)
    markDirty(name)
    front = call('ZRANGE', triggered, 0, 0)[1]
  end
  return isAny
end
