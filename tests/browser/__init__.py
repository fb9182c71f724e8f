"""The console as people see it: in a real browser, against a real server, with the reference agent behind it."""
