-- user -> data and seen of each

local found = {}
for _, id in ipairs(there(of_user(ARGV[2]))) do
  local one = redis.call('HMGET', session(id), 'data', 'seen')
  found[#found + 1] = one[1]
  found[#found + 1] = one[2]
end
return found
