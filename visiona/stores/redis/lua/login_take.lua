-- state, browser -> data, or nil; it is gone then

local found = redis.call('HMGET', login(ARGV[2]), 'browser', 'data')
if found[1] ~= ARGV[3] then
  return false
end
forget(ARGV[2])
return found[2]
