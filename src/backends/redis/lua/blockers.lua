-- The blockers of a set, for people: the first sets in the queues that it waits in.
--
-- A text for each: units and name of what is wanted, since (ms) and 'held' or 'due', id, label,
-- label of its session, description of its client; by tabs. At most four, then the number of
-- others.

local blockersMax = 4

local function blockerOf(units, name)
  local front = demand('ZRANGE', root .. 't:' .. name, 0, 0)[1] or ''
  local id = setOf(front)
  local set = demand('HMGET', root .. 'q:' .. id, 'since', 'token', 'label', 'scope', 'session')
  local about = set[5] and demand('HGET', root .. 's:' .. set[5], 'about')
  return table.concat({ units .. name, set[1] or text(nowMs()), set[2] and 'held' or 'due', id,
    set[3] or '', set[4] or '', about or '' }, '\t')
end

-- An answer that begins with `word`.
local function blockersOf(word, links, isPending)
  local answer, moreCount = { word }, 0
  for units, name in eachLink(links) do
    if isPending[name] and #answer <= blockersMax then
      answer[#answer + 1] = blockerOf(units, name)
    elseif isPending[name] then
      moreCount = moreCount + 1
    end
  end
  if moreCount > 0 then
    answer[#answer + 1] = text(moreCount)
  end
  return answer
end
