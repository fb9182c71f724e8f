-- Tags of devices become an array where the database has arrays. Elsewhere they stay JSON, and nothing is to do.

@postgresql@CREATE FUNCTION visiona_texts_of(json) RETURNS text[] IMMUTABLE LANGUAGE sql AS 'SELECT ARRAY(SELECT json_array_elements_text($1))';
@postgresql@ALTER TABLE devices ALTER COLUMN tags TYPE @texts@ USING visiona_texts_of(tags::json);
@postgresql@DROP FUNCTION visiona_texts_of(json);
