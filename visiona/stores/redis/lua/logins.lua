-- Keys of sign-ins under way. ARGV[1] is the prefix of all keys. All live equally long, so the first to end is the oldest.

local P = ARGV[1]
local ALL = P .. 'logins'

local function login(state)
  return P .. 'login:' .. state
end

local function of_browser(browser)
  return P .. 'logins-of-browser:' .. browser
end

local function forget(state)
  local browser = redis.call('HGET', login(state), 'browser')
  redis.call('ZREM', ALL, state)
  if browser then
    redis.call('DEL', login(state))
    redis.call('ZREM', of_browser(browser), state)
  end
end
