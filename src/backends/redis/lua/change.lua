-- Ends or weakens requests of a session, whether they wait or are granted, and hands over.
--
--- @lazy blockers
--
-- ARGV[2]  number of this call: as for a request. What has a lesser number and has not arrived yet
--          will not be let in, so that nothing that is ended here begins afterwards
-- ARGV[3…] changes: a letter, the number of a request, for R and A perhaps ' ' and its id, and for
--          P and D '\n' and '<name>\n' for each
--            R  it is released
--            C  it is cancelled: should it have been granted, its caller does not know
--            A  it is abandoned: names that it holds exclusively are recovered by the next
--            T  it is out of time: cancelled, and the answer has its blockers
--            P  of a grant, a part is released
--            D  of a grant, exclusive names become shared
--
-- Answers  changed, then for each T its number and blockers as one text, by '\n' (blockers.lua)
--          expired     the session is unknown: nothing is left of what went through it
--
-- A change that is repeated, or comes late, changes nothing.

local outcomes = { R = 'done', A = 'died', C = 'undelivered', T = 'undelivered' }
local answer = { 'changed' }
local session = demand('HMGET', root .. 's:' .. caller, 'top', 'lifetime')
local top = session[1]
if not top then
  return finish({ 'expired' })
end
setLifetime(session[2])

local function explain(number, id)
  local set = demand('HMGET', root .. 'q:' .. id, 'token', 'links')
  local isPending = {}
  for units, name in eachLink(set[2] or '') do
    isPending[name] = not demand('ZSCORE', root .. 't:' .. name, units .. id)
  end
  return table.concat(lazy().blockersOf(number, set[2] or '', isPending), '\n')
end

-- A part that is not held changes nothing.
local function weaken(kind, id, names)
  local key = root .. 'q:' .. id
  local set = try('HMGET', key, 'token', 'links', 'observe', 'steal') or {}
  if not set[1] or set[3] then
    return
  end
  local isChosen, left = {}, {}
  for name in string.gmatch(names, '([^\n]*)\n') do
    isChosen[name] = true
  end
  for units, name in eachLink(set[2]) do
    local isKept = not isChosen[name]
    if not isKept and units == ALL then
      -- Also for a server short of memory: see the end.
      try('SREM', root .. 'recovered', name)
    end
    if not isKept and (kind == 'P' or units == ALL) then
      markDirty(name)
      if kind == 'D' then
        -- The link keeps its position, as one that steals is before all others; and the key its
        -- time to live.
        try('ZADD', root .. 't:' .. name, set[4] and '-' .. id or id, ONE .. id)
      end
      try('ZREM', root .. 't:' .. name, units .. id)
    end
    if isKept or kind == 'D' then
      left[#left + 1] = (isKept and units or ONE) .. name .. '\n'
    end
  end
  if #left == 0 then
    remove(id, 'done')
  else
    call('HSET', key, 'links', table.concat(left))
  end
end

for index = 3, #ARGV do
  local kind, number, known, names = string.match(ARGV[index], '^(%u)(%d+) ?(%d*)\n?(.*)$')
  -- A server that took over may have granted it once more, by another id.
  if known == '' or not remove(known, outcomes[kind], number) then
    local id = idOf(caller, number)
    if id and (kind == 'P' or kind == 'D') then
      weaken(kind, id, names)
    elseif id then
      if kind == 'T' then
        -- Other changes of this call may be done already: a damaged key must not stop them.
        local isKnown, blockers = pcall(explain, number, id)
        answer[#answer + 1] = isKnown and blockers or nil
      end
      remove(id, outcomes[kind])
    end
  end
end
drain()
if tonumber(ARGV[2]) > tonumber(top) then
  -- A server short of memory refuses a script that begins with what takes some, and no other.
  if not dirty[1] then
    try('HDEL', root .. 's:' .. caller, 'top')
  end
  try('HSET', root .. 's:' .. caller, 'top', ARGV[2])
end
return finish(answer)
