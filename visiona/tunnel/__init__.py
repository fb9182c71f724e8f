"""Drives wire.yamux with Trio: one tunnel over one WebSocket, the same code on both ends."""
