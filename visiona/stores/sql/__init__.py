"""SQL engines: one hand-written text per question, a small port, a table of the few differences."""
