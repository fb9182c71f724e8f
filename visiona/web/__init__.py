"""HTTP in: people and programs."""
