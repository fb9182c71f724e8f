-- limit as JSON

local limit = cjson.decode(ARGV[2])
redis.call('DEL', moments(limit))
redis.call('ZREM', P .. 'rates:' .. limit.name, limit.key)
return 1
