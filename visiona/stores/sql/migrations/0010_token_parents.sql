-- A token that was made with another one is known as that one's. No reference: it outlives what it was made with.

ALTER TABLE access_tokens ADD COLUMN made_with TEXT;
