-- What is held or waited for: a page of it, at one moment. The server does nothing else meanwhile,
-- so where there is much, each page is of a moment of its own.
--
-- ARGV[2]  number of sets, at most
-- ARGV[3]  where the page before ended, a session, or ''
-- ARGV[4]  and the number of its last request in that page, or ''
--
-- Answers  sets, where this page ends, two texts as above, '' if it is the last; then for each
--          session a list: it, its description; and then for each of its sets seven texts, '' for a
--          missing one: id, links, since, token, label, scope, steal

local left = tonumber(ARGV[2])
local sessions = demand('ZRANGE', root .. 'sessions', 0, -1)
-- By name, as the ends of their leases change from page to page.
table.sort(sessions)
local answer = { 'sets', '', '' }
for _, session in ipairs(sessions) do
  if session >= ARGV[3] and left > 0 then
    local after = session == ARGV[3] and '(' .. ARGV[4] or '1'
    local ids = demand('ZRANGEBYSCORE', root .. 'l:' .. session, after, '+inf', 'LIMIT', 0,
      text(left), 'WITHSCORES')
    local list = { session, demand('HGET', root .. 's:' .. session, 'about') or '' }
    for at = 1, #ids, 2 do
      local id = ids[at]
      local set = demand('HMGET', root .. 'q:' .. id, 'links', 'since', 'token', 'label', 'scope',
        'steal', 'observe')
      if set[1] and not set[7] then
        list[#list + 1] = id
        for index = 1, 6 do
          list[#list + 1] = set[index] or ''
        end
      end
    end
    answer[#answer + 1] = list
    left = left - #ids / 2
    if left == 0 then
      answer[2], answer[3] = session, ids[#ids]
    end
  end
end
return finish(answer)
