-- All that is held or waited for, at one moment.
--
-- ARGV[2]  how many sets are told of at most
--
-- Answers  sets, then for each session a list: it, who it is; and then for each of its sets seven
--          texts, '' for what it has not: id, links, since, token, label, scope, thief
--          limit, and how many there are, if they are too many: the server does nothing else
--          meanwhile

local sessions = demand('ZRANGE', root .. 'sessions', 0, -1)
local count = 0
for _, session in ipairs(sessions) do
  count = count + demand('ZCARD', root .. 'l:' .. session)
end
if count > tonumber(ARGV[2]) then
  return finish({ 'limit', text(count) })
end
local answer = { 'sets' }
for _, session in ipairs(sessions) do
  local list = { session, demand('HGET', root .. 's:' .. session, 'about') or '' }
  for _, id in ipairs(demand('ZRANGE', root .. 'l:' .. session, 0, -1)) do
    local set = demand('HMGET', root .. 'q:' .. id, 'links', 'since', 'token', 'label', 'scope',
      'thief', 'watch')
    if set[1] and not set[7] then
      list[#list + 1] = id
      for index = 1, 6 do
        list[#list + 1] = set[index] or ''
      end
    end
  end
  answer[#answer + 1] = list
end
return finish(answer)
