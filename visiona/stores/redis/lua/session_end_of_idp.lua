-- subject or '', sid or '', at -> ids

local subject, sid = ARGV[2], ARGV[3]
local index = sid ~= '' and of_sid(sid) or of_subject(subject)
local ended = {}
for _, id in ipairs(there(index)) do
  local about = about_or_nil(id)
  if (subject == '' or about.subject == subject) and finish(id, ARGV[4]) then
    ended[#ended + 1] = id
  end
end
return ended
