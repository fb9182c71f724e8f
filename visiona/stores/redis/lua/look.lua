-- Notices were written in the database: an alarm clock for whoever serves, of which one entry is enough.

return redis.call('XADD', P .. 'look', 'MAXLEN', 1, '*', 'look', 1)
