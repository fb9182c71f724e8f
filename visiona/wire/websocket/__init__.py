"""WebSocket framing and handshake (RFC 6455), without reassembly and without extensions of our own."""
