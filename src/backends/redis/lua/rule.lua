-- The rule: a set is granted exactly when no live set that arrived earlier conflicts with it.
--
-- In the queue of each name stand first the links that are triggered (t:), one exclusive or any
-- number of shared ones, then those that wait (w:), both by arrival. A set is granted when none of
-- its links is pending. `mayTrigger` decides, `drain` walks on; nothing else triggers, so the
-- first link that waits is never one that need not. However a link leaves, or weakens, `drain`
-- follows: a cancelled writer lets through the readers behind it, and no set is granted too early.
--
-- It is the algorithm of src/core/queue.ts, and costs the same: O(links that leave + links that
-- are triggered), each times the logarithm of a queue. One call triggers a bounded number of them.
-- A queue that is due meanwhile has links in w: that need not wait; as new links stand behind them,
-- none overtakes.

-- Units as they begin a link: one of them is shared, all are exclusive (src/api/mode.ts).
local ONE, ALL = 's', 'x'

local function takesAll(link)
  return string.sub(link, 1, 1) == ALL
end

local function setOf(link)
  return string.sub(link, 2)
end

-- `units, name` of each link.
local function eachLink(links)
  return string.gmatch(links, '([xs])([^\n]*)\n')
end

-- Whether the first link that waits may be triggered; `front` is a triggered one, if any. One unit
-- fits beside any number of others, as no resource has a capacity here.
local function mayTrigger(link, front)
  return not front or not (takesAll(link) or takesAll(front))
end

-- Sets whose last link was triggered; they are granted when the script ends.
local grantable = {}

-- Links that this call may yet trigger, and observers that it may yet end: the server does nothing
-- else meanwhile. What is left is in `due`, and goes on in further calls, of anybody.
local workLeft = 128

-- Most often there is no observer, and no queue is due: one command checks both.
local hasObservers, isDue
local function checkRareKeys()
  if hasObservers == nil then
    local isAny = try('EXISTS', root .. 'observers', root .. 'due') ~= 0
    hasObservers = isAny and try('EXISTS', root .. 'observers') == 1
    isDue = isAny and try('EXISTS', root .. 'due') == 1
  end
end

-- Moves a link to another queue, new or not, which lasts for at least as long as the one that it
-- leaves: what the owner of the link has seen to.
local function move(from, to, isNew, id, link)
  local leftMs = try('PTTL', from) or -1
  call('ZREM', from, link)
  call('ZADD', to, id, link)
  if leftMs > 0 and (isNew or (try('PTTL', to) or 0) < leftMs) then
    try('PEXPIRE', to, leftMs)
  end
end

-- Names that a link has left, or become weaker on: their queues move on when the script ends.
local dirty, isDirty = {}, {}
local function markDirty(name)
  if not isDirty[name] then
    isDirty[name] = true
    dirty[#dirty + 1] = name
  end
end

-- Names whose exclusive holder has ended in good order, as arguments of a command.
local intact = {}

-- An exclusive holder releases a name: it 'died', it is 'done', or its grant was 'undelivered', and
-- the flags that it recovered stay.
local function noteEnd(name, outcome, recovered)
  local isKept = recovered and string.find(recovered .. '\t', '\t' .. name .. '\t', 1, true)
  if outcome == 'done' or (outcome == 'undelivered' and not isKept) then
    intact[#intact + 1] = name
  end
end

-- Before the next holders: they would find the flags.
local function clearFlags()
  for first = 1, #intact, 1000 do
    try('SREM', root .. 'recovered', unpack(intact, first, math.min(first + 999, #intact)))
  end
  intact = {}
end

-- Its caller keeps nothing for it any more.
local function dropHolding(id, keeps)
  for held in string.gmatch(keeps or '', '%d+') do
    try('SREM', root .. 'k:' .. held, id)
  end
end

-- Flags what a set that is granted holds exclusively. Returns those of its names that were flagged
-- before, each after a tab.
local function recover(id, links)
  local found = ''
  for units, name in eachLink(links) do
    local isFlagged
    if units == ALL then
      isFlagged = try('SADD', root .. 'recovered', name) == 0
    else
      isFlagged = try('SISMEMBER', root .. 'recovered', name) == 1
    end
    if isFlagged then
      found = found .. '\t' .. name
    end
  end
  if found ~= '' then
    call('HSET', root .. 'q:' .. id, 'recovered', found)
  end
  return found
end

-- Ends a live set, however it stands; none but the caller's of that number, if one is given. Its
-- queues move on when the script ends.
local function remove(id, outcome, number)
  local key = root .. 'q:' .. id
  local set = try('HMGET', key, 'session', 'links', 'token', 'keeps', 'observe', 'recovered',
    'number') or {}
  local session, links, token, keeps, isObserver = set[1], set[2], set[3], set[4], set[5]
  if not links or (number and (number ~= set[7] or session ~= caller)) then
    return nil
  end
  call('DEL', key, root .. 'k:' .. id)
  try('ZREM', root .. 'l:' .. session, id)
  dropHolding(id, keeps)
  if isObserver then
    try('SREM', root .. 'observers', id)
  end
  for units, name in eachLink(links) do
    if isObserver then
      try('ZREM', root .. 'o' .. units .. ':' .. name, id)
    else
      if try('ZREM', root .. 't:' .. name, units .. id) ~= 1 then
        try('ZREM', root .. 'w:' .. name, units .. id)
      end
      if token and units == ALL then
        noteEnd(name, outcome, set[6])
      end
      markDirty(name)
    end
  end
  return session
end

-- Moves on the dirty queues, by the arrival of their links, and grants in that order.
local function drain()
  clearFlags()
  local existingCount, waitingCount = nil, 0
  if dirty[1] and hasObservers == nil and #dirty <= 1000 then
    local keys = { root .. 'observers', root .. 'due' }
    for index, name in ipairs(dirty) do
      keys[index + 2] = root .. 'w:' .. name
    end
    existingCount = try('EXISTS', unpack(keys))
    if existingCount == 0 then
      return
    end
  end

  -- From here on functions are made where they are needed, as each run of a script makes all that
  -- are not within another one.
  -- False if there is no such set, so that its link is of no use.
  local function countDown(id)
    local left = try('HINCRBY', root .. 'q:' .. id, 'pending', -1)
    if left == 0 then
      grantable[#grantable + 1] = id
    elseif left and left < 0 then
      call('DEL', root .. 'q:' .. id)
      return false
    end
    return left ~= nil
  end

  -- The first link that waits for a name, if it need not any more; and whether none is triggered.
  local function firstDue(name)
    local waiting, triggered = root .. 'w:' .. name, root .. 't:' .. name
    local first = (try('ZRANGE', waiting, 0, 0) or {})[1]
    waitingCount = waitingCount + (first and 1 or 0)
    local front = first and try('ZRANGE', triggered, 0, 0)
    if front and mayTrigger(first, front[1]) then
      return first, not front[1]
    end
    return nil
  end

  local function trigger(name, link, isNew)
    local id = setOf(link)
    workLeft = workLeft - 1
    if countDown(id) then
      move(root .. 'w:' .. name, root .. 't:' .. name, isNew, id, link)
    else
      call('ZREM', root .. 'w:' .. name, link)
    end
  end

  -- What most calls do without: several queues that move on at once, what earlier calls have left,
  -- and observers.
  local function lazyMoves()
    -- Ends the observations for which no older link is left; `oldest` is the arrival of the oldest
    -- one left, if any. True unless some of them are left for another call.
    local function notifyList(observers, oldest)
      local limit = oldest and '(' .. oldest or '+inf'
      local count = math.max(workLeft, 0)
      local ids = try('ZRANGEBYSCORE', observers, '-inf', limit, 'LIMIT', 0, count + 1) or {}
      for index = 1, math.min(#ids, count) do
        try('ZREM', observers, ids[index])
        countDown(ids[index])
      end
      workLeft = workLeft - #ids
      return #ids <= count
    end

    local function notifyObservers(name)
      local front = try('ZRANGE', root .. 't:' .. name, 0, 0, 'WITHSCORES') or {}
      local behind = try('ZRANGE', root .. 'w:' .. name, 0, 0, 'WITHSCORES') or {}
      -- Where nothing is triggered, what waits is due.
      local isAll = notifyList(root .. 'o' .. ALL .. ':' .. name, front[2] or behind[2])
      -- Behind links that are shared and triggered, the first that waits is exclusive, or is due.
      local exclusive = front[1] and takesAll(front[1]) and front or behind
      return notifyList(root .. 'o' .. ONE .. ':' .. name, exclusive[2]) and isAll
    end

    -- A heap of names by the arrival of their first link that is due: { arrival, name, link }.
    local heads = {}
    local function addHead(name, link)
      if not link then
        return
      end
      local at = #heads + 1
      heads[at] = { tonumber(setOf(link)), name, link }
      while at > 1 do
        local above = math.floor(at / 2)
        if heads[above][1] <= heads[at][1] then
          break
        end
        heads[above], heads[at] = heads[at], heads[above]
        at = above
      end
    end

    local function takeHead()
      local first, count = heads[1], #heads
      heads[1] = heads[count]
      heads[count] = nil
      count = count - 1
      local at = 1
      while true do
        local least = at
        for below = 2 * at, 2 * at + 1 do
          if below <= count and heads[below][1] < heads[least][1] then
            least = below
          end
        end
        if least == at then
          return first
        end
        heads[least], heads[at] = heads[at], heads[least]
        at = least
      end
    end

    local function addDue(arrival, name)
      try('ZADD', root .. 'due', arrival, name)
      extend(root .. 'due')
      isDue = true
    end

    -- Names that earlier calls have left, the one whose link came first before the others.
    local function goOn()
      while isDue and workLeft > 0 do
        local first = try('ZRANGE', root .. 'due', 0, 0, 'WITHSCORES') or {}
        local name = first[1]
        if not name then
          isDue = false
          return
        end
        local link = firstDue(name)
        if link and tonumber(setOf(link)) > tonumber(first[2]) then
          addDue(setOf(link), name)
        elseif link then
          trigger(name, link)
        elseif not hasObservers or notifyObservers(name) then
          try('ZREM', root .. 'due', name)
        end
      end
    end

    -- `links`: the first one that is due in each dirty queue, if any.
    local function moveAll(links)
      for _, name in ipairs(dirty) do
        addHead(name, links[name])
      end
      while heads[1] and workLeft > 0 and not isDue do
        local head = takeHead()
        trigger(head[2], head[3])
        addHead(head[2], firstDue(head[2]))
      end
      for _, head in ipairs(heads) do
        addDue(setOf(head[3]), head[2])
      end
      if hasObservers then
        for _, name in ipairs(dirty) do
          if not notifyObservers(name) then
            addDue('0', name)
          end
        end
      end
      goOn()
      unfinished = isDue and 'more' or ''
    end

    return moveAll
  end

  local links, name, link, isNew, count = {}, nil, nil, nil, 0
  for _, each in ipairs(dirty) do
    local first, isFirstNew = firstDue(each)
    links[each] = first
    if first then
      name, link, isNew, count = each, first, isFirstNew, count + 1
    end
  end
  if existingCount == waitingCount then
    hasObservers, isDue = false, false
  elseif dirty[1] then
    checkRareKeys()
  end
  if count == 1 and not isDue and not hasObservers then
    while link and workLeft > 0 do
      trigger(name, link, isNew)
      link, isNew = firstDue(name)
    end
    links[name] = link
    count = link and 1 or 0
  end
  if count > 0 or isDue or hasObservers then
    lazyMoves()(links)
  end
  if not grantable[1] then
    return
  end
  table.sort(grantable, function(one, other) return tonumber(one) < tonumber(other) end)
  for _, id in ipairs(grantable) do
    local set = call('HMGET', root .. 'q:' .. id, 'session', 'number', 'links', 'keeps', 'observe')
    dropHolding(id, set[4])
    if set[5] then
      call('HSET', root .. 'q:' .. id, 'token', '0')
      call('SREM', root .. 'observers', id)
      notify(set[1], 'settled\t' .. set[2])
    else
      local token = nextNumber()
      call('HSET', root .. 'q:' .. id, 'token', token, 'since', text(nowMs()))
      notify(set[1], table.concat({ 'granted', set[2], id, token }, '\t') .. recover(id, set[3]))
    end
  end
end
