-- Asks for a set: it is granted in this trip if it can be, or else waits its turn.
--
-- ARGV[2]  number of the request: whole, greater than any that the session has called with
-- ARGV[3]  how: 'wait'; 'now' or never; 'steal'; 'watch': only to hear when nothing conflicts
-- ARGV[4]  links: 'x<name>\n' or 's<name>\n' for each name, none of them twice
-- ARGV[5]  label of the set, escaped, or ''
-- ARGV[6]  label of the session within the client that it went through, escaped, or ''
-- ARGV[7]  requests whose grants are kept while it waits, by spaces: the caller's by their numbers,
--          those of others, which wait for the caller to end, as session/number
--
-- Answers  granted, id, token, and names that are recovered, by tabs, as one text
--          settled      nothing conflicts with what was to be watched
--          waiting, id
--          denied, and who is in the way: a text for each, of at most four (blockers.lua)
--          deadlock, and the circle: a text for each set (circle.lua)
--          limit        the circle was too long to be looked for
--          over         the number has been used, and nothing is left of that request
--          expired      the session is unknown, or its lease has ended
--
-- A request that is repeated gets the answer of the first one: it is live, or it is `over`. Which
-- number is new needs no memory but the greatest one seen, at the price that of two requests that
-- arrive in the wrong order the lesser one is over, and is to be asked again by a new number.

local number, how, links = ARGV[2], ARGV[3], ARGV[4]
local top = liveSession(caller)
if not top then
  return finish({ 'expired' })
end

if tonumber(number) <= top then
  local id = idOf(caller, number)
  if not id then
    return finish({ 'over' })
  end
  local set = demand('HMGET', root .. 'q:' .. id, 'token', 'links', 'watch')
  if not set[1] then
    return finish({ 'waiting', id })
  end
  if set[3] then
    return finish({ 'settled' })
  end
  return finish({ 'granted', id .. '\t' .. set[1] .. recoveredOf(set[2]) })
end

local isThief, isWatch = how == 'steal', how == 'watch'
if isWatch then
  demand('SCARD', root .. 'watch')
elseif isThief then
  demand('SCARD', root .. 'recovered')
end

-- Of each name, whether this set's link there has to wait.
local isPending, pendingCount = {}, 0
for mode, name in eachLink(links) do
  -- Where nothing is triggered, nothing waits, unless it is due.
  local front = demand('ZRANGE', root .. 't:' .. name, 0, 0)[1]
  if not front then
    lookAside()
  end
  local waits = front and not mayTrigger(mode, front)
  if (front or isDue) and not waits then
    waits = demand('ZCARD', root .. 'w:' .. name) > 0
  end
  if isWatch then
    demand('ZCARD', root .. 'o' .. mode .. ':' .. name)
  elseif isThief then
    demand('ZCARD', root .. 'w:' .. name)
    waits = false
  end
  if waits then
    isPending[name] = true
    pendingCount = pendingCount + 1
  end
end

local function refuse(answer)
  call('HSET', root .. 's:' .. caller, 'top', number)
  return finish(answer)
end

if isWatch and pendingCount == 0 then
  return refuse({ 'settled' })
end
if how == 'now' and pendingCount > 0 then
  -- Links that are due are in the way for now only: they are through when this is asked again.
  lookAside()
  if isDue then
    settleUp()
    return refuse({ 'over' })
  end
  return refuse(seldom().blockersOf('denied', links, isPending))
end
local keeps = {}
if ARGV[7] ~= '' and pendingCount > 0 then
  local rare = seldom()
  keeps = rare.heldAmong(ARGV[7])
  local circle = rare.findCircle(links, isPending, keeps)
  if circle then
    return refuse(circle)
  end
end

if isThief and seldom().robSome(links) then
  settleUp()
  return refuse({ 'over' })
end

local id = nextNumber()
local key = root .. 'q:' .. id
local set = { 'session', caller, 'number', number, 'pending', text(pendingCount),
  'links', links, 'since', text(nowMs()) }
local function add(field, value)
  if value and value ~= '' then
    set[#set + 1] = field
    set[#set + 1] = value
  end
end
add('label', ARGV[5])
add('scope', ARGV[6])
add('keeps', table.concat(keeps, ' '))
add('watch', isWatch and '1')
add('thief', isThief and '1')
add('token', pendingCount == 0 and id)
-- First what may be refused for its type.
demand('ZADD', root .. 'l:' .. caller, number, id)
call('HSET', root .. 's:' .. caller, 'top', number)
call('HSET', key, unpack(set))

if isWatch then
  call('SADD', root .. 'watch', id)
  for mode, name in eachLink(links) do
    if isPending[name] then
      call('ZADD', root .. 'o' .. mode .. ':' .. name, id, id)
    end
  end
  return finish({ 'waiting', id })
end

if isThief then
  seldom().rob(links)
end
for mode, name in eachLink(links) do
  local queue = isPending[name] and 'w:' or 't:'
  call('ZADD', root .. queue .. name, isThief and '-' .. id or id, mode .. id)
end
for _, held in ipairs(keeps) do
  call('SADD', root .. 'k:' .. held, id)
end
if pendingCount > 0 then
  return finish({ 'waiting', id })
end
local granted = id .. '\t' .. id .. recoveredOf(links)
settleUp()
return finish({ 'granted', granted })
