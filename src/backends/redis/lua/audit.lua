-- The live requests of a session, for a client that may have missed notifications.
--
-- ARGV[2]  number of the first request that is wanted
-- ARGV[3]  how many are wanted at most
--
-- Answers  known, count of its notifications, and for each live request a text: number, 'granted',
--          id, token, recovered names; or number, 'waiting', id; or number, 'settled'; by tabs
--          expired    there is no such session

local notifiedCount = demand('HGET', root .. 's:' .. caller, 'notified')
if not notifiedCount then
  return finish({ 'expired' })
end
local answer = { 'known', notifiedCount }
local first = text(math.max(1, tonumber(ARGV[2])))
local ids = demand('ZRANGEBYSCORE', root .. 'l:' .. caller, first, '+inf', 'LIMIT', 0, ARGV[3])
for _, id in ipairs(ids) do
  local set = demand('HMGET', root .. 'q:' .. id, 'number', 'token', 'recovered', 'observe')
  local line = (set[1] or '0') .. '\twaiting\t' .. id
  if set[2] and set[4] then
    line = set[1] .. '\tsettled'
  elseif set[2] then
    line = set[1] .. '\tgranted\t' .. id .. '\t' .. set[2] .. (set[3] or '')
  end
  answer[#answer + 1] = line
end
return finish(answer)
