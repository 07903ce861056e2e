-- Asks for a set: it is granted by this call if it can be, or else waits in its queues.
--
--- @lazy blockers, cycle, revoke, expired
--
-- ARGV[2]  number of the request: whole, greater than any that the session has called with
-- ARGV[3]  how: 'wait'; 'now' or never; 'steal'; 'observe': wait until nothing conflicts
-- ARGV[4]  links: '<units><name>\n' for each name, none of them twice
-- ARGV[5]  label of the set, escaped, or ''
-- ARGV[6]  label of the session within the client that it went through, escaped, or ''
-- ARGV[7]  requests whose grants are kept while it waits, by spaces: the caller's by their numbers,
--          those of others, which wait for the caller to end, as session/number
--
-- Answers  granted, id, token, and names that are recovered, by tabs, as one text
--          settled      nothing conflicts with what was to be observed
--          waiting, id
--          denied, and the blockers: a text for each, of at most four (blockers.lua)
--          deadlock, and the cycle: a text for each set (cycle.lua)
--          limit        the cycle was too long to be found
--          over         the number has been used, and nothing is left of that request
--          expired      the session is unknown, or its lease has ended
--
-- A request that is repeated gets the answer of the first one: it is live, or it is `over`. Which
-- number is new needs no memory but the greatest one seen, at the price that of two requests that
-- arrive in the wrong order the lesser one is over, and is to be repeated with a new number.

local number, how, links = ARGV[2], ARGV[3], ARGV[4]
local top = liveSession()
if not top then
  return finish({ 'expired' })
end

if tonumber(number) <= top then
  local id = idOf(caller, number)
  if not id then
    return finish({ 'over' })
  end
  local set = demand('HMGET', root .. 'q:' .. id, 'token', 'recovered', 'observe')
  if not set[1] then
    return finish({ 'waiting', id })
  end
  if set[3] then
    return finish({ 'settled' })
  end
  return finish({ 'granted', id .. '\t' .. set[1] .. (set[2] or '') })
end

local isSteal, isObserver = how == 'steal', how == 'observe'
if isObserver then
  demand('SCARD', root .. 'observers')
end

-- Whether no queue of the set exists: most often so, and one command checks it.
local keys = {}
for _, name in eachLink(links) do
  keys[#keys + 1] = root .. 't:' .. name
  keys[#keys + 1] = root .. 'w:' .. name
end
local existingCount
if not isSteal and not isObserver and #keys <= 2000 then
  existingCount = #keys == 0 and 0 or demand('EXISTS', unpack(keys))
end

-- Of each name, whether this set's link there has to wait, and whether its queue is there already.
local isPending, isThere, pendingCount = {}, {}, 0
if existingCount ~= 0 then
  for units, name in eachLink(links) do
    local triggered = root .. 't:' .. name
    local front = demand('ZRANGE', triggered, 0, 0)[1]
    local waits = front and not isSteal and not mayTrigger(units, front)
    -- Where it may wait, its session's heartbeats drop them.
    if waits and how ~= 'wait' and lazy().dropExpired(name, front) then
      front = demand('ZRANGE', triggered, 0, 0)[1]
      waits = front and not mayTrigger(units, front)
    end
    if not waits then
      waits = demand('ZCARD', root .. 'w:' .. name) > 0
      if waits and not front then
        -- These are due, or what was before them has expired.
        markDirty(name)
      end
    end
    if isObserver then
      demand('ZCARD', root .. 'o' .. units .. ':' .. name)
    end
    isThere[name] = front
    if waits and not isSteal then
      isPending[name] = true
      -- One key, which is t:, or perhaps more.
      isThere[name] = #keys > 2 or existingCount ~= 1 or not front
      pendingCount = pendingCount + 1
    end
  end
end

local function refuse(answer)
  if isDue or dirty[1] then
    drain()
  end
  call('HSET', root .. 's:' .. caller, 'top', number)
  return finish(answer)
end

if isObserver and pendingCount == 0 then
  return refuse({ 'settled' })
end
if how == 'now' and pendingCount > 0 then
  -- Links that are due block this set for now only: they are triggered before its next try.
  checkRareKeys()
  if isDue or dirty[1] then
    return refuse({ 'over' })
  end
  return refuse(lazy().blockersOf('denied', links, isPending))
end
local keeps = {}
if ARGV[7] ~= '' and pendingCount > 0 then
  local rare = lazy()
  keeps = rare.heldAmong(ARGV[7])
  local cycle = rare.findCycle(links, isPending, keeps)
  if cycle then
    return refuse(cycle)
  end
end

if isSteal and lazy().revokeSome(links) then
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
add('observe', isObserver and '1')
add('steal', isSteal and '1')
add('token', pendingCount == 0 and id)
-- First what may be refused for its type.
demand('ZADD', root .. 'l:' .. caller, number, id)
call('HSET', root .. 's:' .. caller, 'top', number)
call('HSET', key, unpack(set))
call('PEXPIRE', key, lifetimeMs)

if isObserver then
  call('SADD', root .. 'observers', id)
  extend(root .. 'observers')
  for units, name in eachLink(links) do
    if isPending[name] then
      local observers = root .. 'o' .. units .. ':' .. name
      call('ZADD', observers, id, id)
      extend(observers)
    end
  end
  if dirty[1] then
    hasObservers = nil
    drain()
  end
  return finish({ 'waiting', id })
end

if isSteal then
  lazy().revoke(links)
end
for units, name in eachLink(links) do
  local queue = root .. (isPending[name] and 'w:' or 't:') .. name
  call('ZADD', queue, isSteal and '-' .. id or id, units .. id)
  if isThere[name] then
    extend(queue)
  else
    call('PEXPIRE', queue, lifetimeMs)
  end
end
for _, held in ipairs(keeps) do
  call('SADD', root .. 'k:' .. held, id)
  extend(root .. 'k:' .. held)
end
if pendingCount > 0 then
  if dirty[1] then
    drain()
  end
  return finish({ 'waiting', id })
end
local granted = id .. '\t' .. id .. recover(id, links)
if dirty[1] then
  drain()
end
return finish({ 'granted', granted })
