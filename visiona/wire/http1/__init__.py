"""HTTP/1.1 as it crosses the relay: heads, framing, bodies, and the rules about what may cross (RFC 9110, 9112)."""
