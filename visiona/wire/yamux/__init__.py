"""The yamux protocol without I/O: SPEC.md says how we speak it."""
