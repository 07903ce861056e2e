-- Fencing, for scripts of your own: put this file before them, and let them begin with
--
--   if not kds_fence(KEYS[2], ARGV[1]) then return redis.error_reply('STALE ...') end
--
-- kds_fence(key, token)  `key` is a key beside the data that is to be protected, `token` that of the
--                        grant under which the script is run, `grant.token`, as text. False if a
--                        greater one has been seen there; else that is remembered, and true.
--
-- Readers have to call it too: a writer whose grant was lost is to be refused once a later reader
-- has been seen, as the reader would not see what is written then. Tokens are whole numbers below
-- 2^53, which Lua's numbers hold exactly. The key is all that keeps stale ones out: it is not to be
-- evicted, and not to end before all processes have that hold a grant.

local function kds_fence(key, token)
  local number = tonumber(token)
  if not number or number ~= math.floor(number) or number < 1 or number > 9007199254740991 then
    error('kds_fence: a token is a whole number from 1 to 2^53 - 1')
  end
  local seen = tonumber(redis.call('GET', key) or '0')
  if number < seen then
    return false
  end
  if number > seen then
    redis.call('SET', key, string.format('%.0f', number))
  end
  return true
end
