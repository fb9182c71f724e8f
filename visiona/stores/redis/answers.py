"""What Redis says of itself, read."""

from typing import Any, TypeAlias

Answer: TypeAlias = Any
"""Bytes, a number, None, or a list of these (RESP2); each command and script says which."""


def is_of_replica(hello: Answer) -> bool:
    """Whether who answered HELLO so follows another server."""
    return dict(zip(hello[::2], hello[1::2], strict=False)).get(b"role") not in {None, b"master"}


def forgetfulness(memory: bytes) -> str | None:
    """From INFO memory, a sentence where Redis may throw sessions away to make room; None where it never does."""
    lines = dict(line.split(":", 1) for line in memory.decode().splitlines() if ":" in line)
    policy = lines.get("maxmemory_policy", "noeviction")
    if policy == "noeviction" or lines.get("maxmemory", "0") == "0":
        return None
    return f"Redis may drop people's sessions when its memory is full ({policy}); set maxmemory-policy noeviction"
