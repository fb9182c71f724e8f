"""Bytes in, events out: protocol cores that do no I/O, read no clock and keep no log."""
