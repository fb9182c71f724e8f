-- id, hash, user, subject, sid, created, seen, idle, absolute, data, most of a user, a name -> 1, or 0 where it is there already

local id, created, seen = ARGV[2], ARGV[7], ARGV[8]
local about = { hash = ARGV[3], user = ARGV[4], subject = ARGV[5], sid = ARGV[6] }
local idle, absolute, data, most = ARGV[9], ARGV[10], ARGV[11], tonumber(ARGV[12])

if redis.call('EXISTS', session(id), by_hash(about.hash)) > 0 then
  return 0
end

-- Room first: the newcomer stays even where its clock is behind all others'.
local others = there(of_user(about.user))
for number = 1, #others - most + 1 do
  finish(others[number], created)
end

redis.call('SET', GENERATION, ARGV[13], 'NX')
redis.call('HSET', session(id), 'hash', about.hash, 'user', about.user, 'subject', about.subject, 'sid', about.sid,
  'seen', seen, 'idle', idle, 'absolute', absolute, 'data', data)
redis.call('SET', by_hash(about.hash), id)
redis.call('ZADD', of_user(about.user), seen, id)
there(of_subject(about.subject))
redis.call('ZADD', of_subject(about.subject), 0, id)
if about.sid ~= '' then
  redis.call('ZADD', of_sid(about.sid), 0, id)
end
live_until(id, about, math.min(tonumber(seen) + tonumber(idle), tonumber(absolute)), tonumber(created))
return 1
