"""The engine that keeps nothing: plain dictionaries with an undo log, held to the same contract as the others."""
