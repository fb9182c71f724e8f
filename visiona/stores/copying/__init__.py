"""Copying everything that is kept: into a backup file, back from one, and from one engine into the other."""
