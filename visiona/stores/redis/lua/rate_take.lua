-- takes as JSON: each {limit, counts, instead or nil} -> microseconds to wait; '0' where all were taken

local takes = cjson.decode(ARGV[2])
local charged, longest = {}, 0
for _, take in ipairs(takes) do
  local seconds = wait(take.limit)
  if take.counts then
    charged[#charged + 1] = take.limit
  end
  if seconds > 0 and take.instead then
    seconds = wait(take.instead)
    charged[#charged + 1] = take.instead
  end
  longest = math.max(longest, seconds)
end
if longest == 0 then
  for _, limit in ipairs(charged) do
    charge(limit)
  end
end
return string.format('%.0f', longest)
