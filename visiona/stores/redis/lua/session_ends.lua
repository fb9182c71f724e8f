-- generation, last entry or '', limit -> generation or '', entries

local generation = redis.call('GET', GENERATION) or ''
local from = '-'
if generation == ARGV[2] and ARGV[3] ~= '' then
  from = '(' .. ARGV[3]
end
return { generation, redis.call('XRANGE', ENDED, from, '+', 'COUNT', ARGV[4]) }
