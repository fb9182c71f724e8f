-- id, at, user or '' -> 1, or 0 where there is none of that user

local about = about_or_nil(ARGV[2])
if not about or (ARGV[4] ~= '' and about.user ~= ARGV[4]) then
  return 0
end
finish(ARGV[2], ARGV[3])
return 1
