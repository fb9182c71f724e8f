"""visiona: a relay-first server for edge-AI units behind NAT."""
