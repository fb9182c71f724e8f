-- Keys of sessions, and what every script about them does. ARGV[1] is the prefix of all keys.
-- Times are microseconds since 1970, told by the caller: whether somebody is signed in is not for this clock to say.
-- They are below 2^53, so that Lua's numbers hold them; written out, they must not become 1.7e+15.

local P = ARGV[1]
local ENDS = P .. 'session-ends'
local ENDED = P .. 'ended'
local KEPT_ENDED = 10000

-- Names this memory from the first session on: after a flush the name is gone, and the next one is another.
local GENERATION = P .. 'generation'

local function digits(number)
  return string.format('%.0f', number)
end

local function session(id)
  return P .. 'session:' .. id
end

local function by_hash(hash)
  return P .. 'session-of-hash:' .. hash
end

local function of_user(user)
  return P .. 'sessions-of-user:' .. user
end

local function of_subject(subject)
  return P .. 'sessions-of-subject:' .. subject
end

local function of_sid(sid)
  return P .. 'sessions-of-sid:' .. sid
end

-- An index lives as long as the last of what it holds, and no longer.
local function outlive(index, milliseconds)
  if redis.call('PTTL', index) < milliseconds then
    redis.call('PEXPIRE', index, digits(milliseconds))
  end
end

-- Lets the session end by itself at `ends`, counted from `now`.
local function live_until(id, about, ends, now)
  local left = math.max(1, math.ceil((ends - now) / 1000))
  redis.call('PEXPIRE', session(id), digits(left))
  redis.call('PEXPIRE', by_hash(about.hash), digits(left))
  redis.call('ZADD', ENDS, digits(ends), id)
  outlive(ENDS, left)
  outlive(of_user(about.user), left)
  outlive(of_subject(about.subject), left)
  if about.sid ~= '' then
    outlive(of_sid(about.sid), left)
  end
end

local function about_or_nil(id)
  local found = redis.call('HMGET', session(id), 'hash', 'user', 'subject', 'sid')
  if not found[1] then
    return nil
  end
  return { hash = found[1], user = found[2], subject = found[3], sid = found[4] }
end

-- Deleting comes before anything that needs memory: a full Redis refuses only a script that has changed nothing yet.
local function forget(id)
  local about = about_or_nil(id)
  redis.call('ZREM', ENDS, id)
  if not about then
    return nil
  end
  redis.call('DEL', session(id), by_hash(about.hash))
  redis.call('ZREM', of_user(about.user), id)
  redis.call('ZREM', of_subject(about.subject), id)
  if about.sid ~= '' then
    redis.call('ZREM', of_sid(about.sid), id)
  end
  return about
end

-- Ends it on purpose: whoever serves is told.
local function finish(id, at)
  if not forget(id) then
    return false
  end
  redis.call('XADD', ENDED, 'MAXLEN', '~', KEPT_ENDED, '*', 'session', id, 'at', at)
  return true
end

-- What an index holds and is there, the lowest score first; what ended by itself is dropped from it.
local function there(index)
  local found = {}
  for _, id in ipairs(redis.call('ZRANGE', index, 0, -1)) do
    if redis.call('EXISTS', session(id)) == 1 then
      found[#found + 1] = id
    else
      redis.call('ZREM', index, id)
    end
  end
  return found
end
