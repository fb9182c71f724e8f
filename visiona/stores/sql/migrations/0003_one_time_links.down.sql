-- Loses: one-time links that nobody has opened yet.

DROP INDEX users_with_password;
DROP TABLE one_time_links;
