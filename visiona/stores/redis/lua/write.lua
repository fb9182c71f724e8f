-- Whether anything can be kept.

redis.call('SET', P .. 'ping', 1, 'PX', 60000)
return 1
