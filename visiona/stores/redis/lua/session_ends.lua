-- generation, name for a new one, last entry or '', limit -> generation, entries
-- The generation tells whether this is still the same memory: it is gone after a flush, and is named anew.

local generation = redis.call('GET', P .. 'generation')
if not generation then
  generation = ARGV[3]
  redis.call('SET', P .. 'generation', generation)
end
local from = '-'
if generation == ARGV[2] and ARGV[4] ~= '' then
  from = '(' .. ARGV[4]
end
return { generation, redis.call('XRANGE', ENDED, from, '+', 'COUNT', ARGV[5]) }
