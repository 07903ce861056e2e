-- Fencing, for scripts of your own: put this file before them, and let them begin with
--
--   if not kds_fence(KEYS[2], ARGV[1], 'exclusive') then
--     return redis.error_reply('STALE ...')
--   end
--
-- kds_fence(key, token, mode)  `key` is a key beside the data that is to be protected, `token` that
--                        of the grant under which the script is run, `grant.token`, as text; `mode`
--                        is how the grant holds it: 'exclusive', the default, or 'shared'. False if
--                        the grant is known to be over; else its token is remembered, and true.
--
-- Who holds it exclusively is refused once any greater token has been seen; who holds it shared,
-- once one that was exclusive has, as those that share it are not in order. Readers have to call it
-- too: a writer whose grant was lost is to be refused once a later reader has been seen, which
-- would not see what is written then. Tokens are whole numbers below 2^53, which Lua's numbers hold
-- exactly. The key is all that keeps stale ones out: it is not to be evicted, and not to end before
-- all processes have that hold a grant.

local function kds_fence(key, token, mode)
  local number = tonumber(token)
  if not number or number ~= math.floor(number) or number < 1 or number > 9007199254740991 then
    error('kds_fence: a token is a whole number from 1 to 2^53 - 1')
  end
  if mode ~= nil and mode ~= 'exclusive' and mode ~= 'shared' then
    error('kds_fence: a mode is exclusive or shared')
  end
  local isShared = mode == 'shared'
  local known = redis.call('HMGET', key, 'seen', 'written')
  local seen, written = tonumber(known[1] or '0'), tonumber(known[2] or '0')
  if number < (isShared and written or seen) then
    return false
  end
  local text = string.format('%.0f', number)
  if number > seen then
    redis.call('HSET', key, 'seen', text)
  end
  if not isShared and number > written then
    redis.call('HSET', key, 'written', text)
  end
  return true
end
