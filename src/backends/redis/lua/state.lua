-- The beginning of every script: the keys of the state, the time, and notifications.
--
-- KEYS[1]  <root>seq, where <root> is '{kds:<domain>}:'. All other keys are built from it, as only
--          the script finds out whose queues a release hands over; all are in one slot.
-- ARGV[1]  the session of the caller: '<client>.<number>'
--
-- Returns  { answer, notifications, damage, unfinished }: the answer of the script, a list of
--          texts; notifications of the caller, as by its channel; '' or the first key found to be
--          damaged; 'more' if queues are left that are to move on, by the next heartbeat of any
--          session, or ''
--
-- Keys, after <root>; a name is escaped, so that it has no control character:
--   seq          the last number given. Never removed
--   sessions     sorted set: each session by the end of its lease, in ms
--   s:<session>  hash: until, lease (ms), top (greatest number it has called with), notified (count
--                of its notifications), about (for people), lifetime (ms) of keys that it creates,
--                renewedAt (ms) and renewedUpTo (number): its last renewal of all its keys;
--                version of this layout, the same in all sessions (heartbeat.lua)
--   l:<session>  sorted set: the id of each of its live sets, by the number of its request; and
--                '-' by 0, so that the key is there for as long as the session is
--   q:<id>       hash, a live set: session, number, pending (links not yet triggered), links,
--                since (ms), token (once granted), and, if it has them, label, scope, keeps,
--                observe, steal, recovered (as in answers)
--   t:<name>     sorted set: links that are triggered, by arrival
--   w:<name>     sorted set: links that wait for that, by arrival; its first one may not be
--   o<units>:<name>  sorted sets: observers, by the units that they would take: those that would
--                take all wait for all links, those that would take one for the exclusive ones
--   observers    set: the ids of observers that wait
--   k:<id>       set: the ids of waiting sets whose callers keep this granted one meanwhile
--   c:<client>   no key, but a channel: a session, and then its notifications, a line each. A line
--                is its ordinal for that session, and then, by tabs: granted, number of the
--                request, id, token, names recovered; or settled, number; or lost, number
--   due          sorted set: names whose queues are to move on, by the arrival of the first link
--                that is due there
--   recovered    set: names that are held exclusively, or whose last exclusive holder did not end
--                in good order: a grant that finds its name there recovers it. Never expires
--
-- All keys but seq and recovered have a time to live. It is six leases when a key is created: of
-- the session's own lease, or of a longer one in the domain. A session renews its keys in its
-- heartbeats, once in a lease (heartbeat.lua), and is over two leases after its last heartbeat. So
-- at least five leases are left after each renewal, at most three pass until the next one, and no
-- key of a live session expires; nor does one of a dead session while heartbeats of others clear it
-- away. Should a set have expired all the same, as after a step of the server's clock, its links
-- are removed by the next session that finds them in its way (expired.lua).
--
-- A link is '<units><id>': units are 's', one of them, or 'x', all; this version has no others.
-- `links` has '<units><name>\n' for each name.
-- An id is the set's arrival. One that steals stands before all others: its arrival there is -id.
--
-- Nothing is rolled back when a script fails. So whatever can be refused is read first, by
-- `demand`, which stops at a key of another type; from the first write on `try` is used, which
-- goes on.

local call = redis.call
local unpack = unpack or table.unpack
local root = string.sub(KEYS[1], 1, -4)
local caller = ARGV[1]

-- Numbers are doubles, and whole up to 2^53; tostring would cut them at 14 digits.
local function text(number)
  return string.format('%.0f', number)
end

local function demand(command, key, ...)
  local reply = redis.pcall(command, key, ...)
  if type(reply) == 'table' and reply.err then
    local isDamaged = string.find(reply.err, 'WRONGTYPE', 1, true)
    error(isDamaged and 'KDS_DAMAGED ' .. key .. ' ' .. reply.err or reply.err, 0)
  end
  return reply
end

local damage, unfinished = '', ''
local function try(command, key, ...)
  local reply = redis.pcall(command, key, ...)
  if type(reply) ~= 'table' or not reply.err then
    return reply
  end
  -- What a server refuses to every script at this time, it refuses to the first write of each: so
  -- nothing has been written, and the client does all of it again.
  for _, code in ipairs({ 'READONLY', 'NOREPLICAS', 'MISCONF', 'MASTERDOWN', 'OOM' }) do
    if string.find(reply.err, code, 1, true) then
      error(reply.err, 0)
    end
  end
  if damage == '' then
    damage = key .. ' ' .. reply.err
  end
  return nil
end

-- The lifetime of keys that the caller creates or renews, in ms.
local lifetimeMs, enoughMs
local function setLifetime(ms)
  lifetimeMs, enoughMs = ms, tonumber(ms) * 5 / 6
end

-- A key that others may use too: its time to live never becomes shorter, and is `leastMs` at least.
local function extend(key, leastMs)
  if (try('PTTL', key) or 0) < (leastMs or enoughMs) then
    try('PEXPIRE', key, lifetimeMs)
  end
end

-- The server's time, read once.
local timeUs
local function nowUs()
  if not timeUs then
    local time = call('TIME')
    timeUs = tonumber(time[1]) * 1000000 + tonumber(time[2])
  end
  return timeUs
end
local function nowMs()
  return math.floor(nowUs() / 1000)
end

-- As text. Greater than any before: also where a server took over that had not received the last.
-- The first one is most often the time, and then one command reads the last number and writes this.
local numberLast, numberText, numberSaved
local function nextNumber()
  if not numberLast then
    numberSaved = text(nowUs())
    local before = demand('SET', KEYS[1], numberSaved, 'GET')
    numberLast = tonumber(before or '0')
    if not numberLast or numberLast < 0 or numberLast > 9000000000000000 then
      call('SET', KEYS[1], before)
      error('KDS_DAMAGED ' .. KEYS[1] .. ' is no number that kds has written', 0)
    end
    if numberLast >= nowUs() then
      -- The clock was set back. At once, as nothing may fail before the number is safe.
      numberSaved = text(numberLast + 1)
      call('SET', KEYS[1], numberSaved)
    end
  end
  numberLast = math.max(numberLast + 1, nowUs())
  numberText = text(numberLast)
  return numberText
end

-- The greatest number that the caller has called with, if its lease has not ended.
local function liveSession()
  local found = demand('HMGET', root .. 's:' .. caller, 'until', 'top', 'lifetime')
  if not found[1] or tonumber(found[1]) <= nowMs() then
    return nil
  end
  setLifetime(found[3])
  return tonumber(found[2])
end

-- The id of a session's live set.
local function idOf(session, number)
  return demand('ZRANGEBYSCORE', root .. 'l:' .. session, number, number)[1]
end

-- Notifications, for each session that has any, in order.
local notifications, receivers = {}, {}

local function notify(session, line)
  local ordinal = try('HINCRBY', root .. 's:' .. session, 'notified', 1) or 0
  if ordinal == 1 then
    -- The session may have expired, and this has created its key.
    extend(root .. 's:' .. session)
  end
  if not notifications[session] then
    notifications[session] = {}
    receivers[#receivers + 1] = session
  end
  table.insert(notifications[session], text(ordinal) .. '\t' .. line)
end

-- Ends a script: notifications of the caller itself come with the answer.
local function finish(answer)
  if numberText ~= numberSaved then
    call('SET', KEYS[1], numberText)
  end
  for _, session in ipairs(receivers) do
    if session ~= caller then
      local channel = root .. 'c:' .. string.match(session, '^[^.]*')
      -- A caller that may not publish is warned of it; an audit at the next heartbeat replaces it.
      try('PUBLISH', channel, session .. '\n' .. table.concat(notifications[session], '\n'))
    end
  end
  return { answer, table.concat(notifications[caller] or {}, '\n'), damage, unfinished }
end
