-- now, limit -> how many
-- Redis forgets sessions by itself; this takes their traces, and sessions that are over by the caller's clock.

local over = redis.call('ZRANGEBYSCORE', ENDS, '-inf', ARGV[2], 'LIMIT', 0, ARGV[3])
for _, id in ipairs(over) do
  forget(id)
end
return #over
