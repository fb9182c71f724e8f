-- state, browser, data, left (ms), ends (us), most of a browser, most of all -> 1, or 0 where it is there already

local state, browser, data, left, ends = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
local TRIMMED_AT_ONCE = 100

if redis.call('EXISTS', login(state)) == 1 then
  return 0
end

-- Room first: what came at the same moment as this one must not push it out.
local function trim(index, most)
  local many = math.min(redis.call('ZCARD', index) - most, TRIMMED_AT_ONCE)
  if many > 0 then
    for _, oldest in ipairs(redis.call('ZRANGE', index, 0, many - 1)) do
      forget(oldest)
      redis.call('ZREM', index, oldest)
    end
  end
end

for _, earlier in ipairs(redis.call('ZRANGE', of_browser(browser), 0, -1)) do
  if redis.call('EXISTS', login(earlier)) == 0 then
    redis.call('ZREM', of_browser(browser), earlier)
  end
end
trim(of_browser(browser), tonumber(ARGV[7]) - 1)
trim(ALL, tonumber(ARGV[8]) - 1)

redis.call('HSET', login(state), 'browser', browser, 'data', data)
redis.call('PEXPIRE', login(state), left)
for _, index in ipairs({ of_browser(browser), ALL }) do
  redis.call('ZADD', index, ends, state)
  if redis.call('PTTL', index) < left then
    redis.call('PEXPIRE', index, left)
  end
end
return 1
