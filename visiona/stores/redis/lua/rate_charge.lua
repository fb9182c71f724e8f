-- limit as JSON

charge(cjson.decode(ARGV[2]))
return 1
