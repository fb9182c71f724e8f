"""Long deterministic bytes that the Go programs make too (go/internal/pattern says how and why)."""

import functools
import hashlib

PERIOD = 8191


@functools.cache
def block(seed: int) -> bytes:
    """One period."""
    count = -(-PERIOD // 32)
    return b"".join(hashlib.sha256(b"%d:%d" % (seed, i)).digest() for i in range(count))[:PERIOD]


def pattern(seed: int, count: int, *, start: int = 0) -> bytes:
    """`count` bytes of the endless pattern, from offset `start`."""
    first = start % PERIOD
    periods = (first + count) // PERIOD + 1
    return (block(seed) * periods)[first : first + count]


@functools.cache
def digest(seed: int, count: int) -> str:
    """The hex SHA-256 of the first `count` bytes."""
    total = hashlib.sha256()
    piece = block(seed) * 128
    for _ in range(count // len(piece)):
        total.update(piece)
    total.update(piece[: count % len(piece)])
    return total.hexdigest()
