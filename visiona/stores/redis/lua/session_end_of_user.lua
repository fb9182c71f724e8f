-- user, at, id to keep or '' -> ids

local ended = {}
for _, id in ipairs(there(of_user(ARGV[2]))) do
  if id ~= ARGV[4] and finish(id, ARGV[3]) then
    ended[#ended + 1] = id
  end
end
return ended
