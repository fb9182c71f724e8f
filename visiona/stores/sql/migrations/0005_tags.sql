-- Tags of devices become an array where the database has arrays. Elsewhere they stay JSON, and nothing is to do.

@postgresql@CREATE FUNCTION pg_temp.texts_of(json) RETURNS text[] IMMUTABLE LANGUAGE sql AS 'SELECT ARRAY(SELECT json_array_elements_text($1))';
@postgresql@ALTER TABLE devices ALTER COLUMN tags TYPE @texts@ USING pg_temp.texts_of(tags::json);
@postgresql@DROP FUNCTION pg_temp.texts_of(json);
