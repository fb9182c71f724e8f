-- Loses: nothing.

@postgresql@ALTER TABLE devices ALTER COLUMN tags TYPE TEXT USING array_to_json(tags)::text;
