-- now, limit -> how many

local over = redis.call('ZRANGEBYSCORE', ALL, '-inf', ARGV[2], 'LIMIT', 0, ARGV[3])
for _, state in ipairs(over) do
  forget(state)
end
return #over
