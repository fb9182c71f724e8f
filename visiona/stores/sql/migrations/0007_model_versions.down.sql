-- Loses: nothing; models are looked for by name and version a little more slowly.

DROP INDEX models_of_version;
