-- hash, at -> data and seen, or nil where it is not live

local id = redis.call('GET', by_hash(ARGV[2]))
local about = id and about_or_nil(id)
if not about then
  return false
end
local found = redis.call('HMGET', session(id), 'data', 'seen', 'idle', 'absolute')
local at, seen, idle, absolute = tonumber(ARGV[3]), tonumber(found[2]), tonumber(found[3]), tonumber(found[4])
if at >= math.min(seen + idle, absolute) then
  return false
end
seen = math.max(seen, at)
redis.call('HSET', session(id), 'seen', digits(seen))
redis.call('ZADD', of_user(about.user), digits(seen), id)
live_until(id, about, math.min(seen + idle, absolute), at)
return { found[1], digits(seen) }
