-- Counts of what may be done only so often. ARGV[1] is the prefix of all keys. The clock is Redis's own: who asks here
-- are several machines, and one clock judges all of them.
-- A limit is {name, key, most, windows = {{limit, microseconds}, ...}}; a key's list holds the moments of its last
-- takes, at most the largest limit of them.

local P = ARGV[1]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

local function moments(limit)
  return P .. 'rate:' .. limit.name .. ':' .. limit.key
end

local function wait(limit)
  local last = redis.call('LINDEX', moments(limit), -1)
  if last and tonumber(last) > now then
    redis.call('DEL', moments(limit)) -- the clock was set back
    return 0
  end
  local longest = 0
  for _, window in ipairs(limit.windows) do
    local at = redis.call('LINDEX', moments(limit), -window[1])
    if at then
      longest = math.max(longest, tonumber(at) + window[2] - now)
    end
  end
  return longest
end

local function charge(limit)
  local depth, span = 0, 0
  for _, window in ipairs(limit.windows) do
    depth, span = math.max(depth, window[1]), math.max(span, window[2])
  end
  local index, stamp = P .. 'rates:' .. limit.name, string.format('%.0f', now)
  redis.call('RPUSH', moments(limit), stamp)
  redis.call('LTRIM', moments(limit), -depth, -1)
  redis.call('PEXPIRE', moments(limit), math.ceil(span / 1000))
  redis.call('ZADD', index, stamp, limit.key)
  redis.call('PEXPIRE', index, math.ceil(span / 1000))
  redis.call('ZREMRANGEBYSCORE', index, '-inf', string.format('%.0f', now - span))
  if redis.call('ZCARD', index) > limit.most then
    for _, oldest in ipairs(redis.call('ZRANGE', index, 0, redis.call('ZCARD', index) - limit.most - 1)) do
      redis.call('DEL', moments({ name = limit.name, key = oldest }))
      redis.call('ZREM', index, oldest)
    end
  end
end
