-- Takes names from whoever has them: those who hold are removed as if they had died, and told so;
-- those who wait, but stood triggered there, stand behind the thief from now on.

local function rob(links)
  for _, name in eachLink(links) do
    for _, link in ipairs(call('ZRANGE', root .. 't:' .. name, 0, -1)) do
      local id = setOf(link)
      local set = call('HMGET', root .. 'q:' .. id, 'token', 'session', 'number')
      if set[1] then
        remove(id, 'died')
        tell(set[2], 'lost\t' .. set[3])
      else
        call('ZREM', root .. 't:' .. name, link)
        call('ZADD', root .. 'w:' .. name, id, link)
        call('HINCRBY', root .. 'q:' .. id, 'pending', 1)
      end
    end
  end
end
