"""The schema, as numbered steps. A released step is never edited: its digest is on record where it ran."""
