-- hash or '', id or '' -> data and seen, or nil

local id = ARGV[3]
if ARGV[2] ~= '' then
  id = redis.call('GET', by_hash(ARGV[2]))
end
if not id then
  return false
end
local found = redis.call('HMGET', session(id), 'data', 'seen')
if not found[1] then
  return false
end
return found
